#!/usr/bin/env python3
"""Runs a program plainly and with guv preloaded, and fails unless both look the same from outside.

Compared are stdout, stderr and the exit status or signal. The preload goes into the environment of the program itself,
never of a shell around it, and the report that guv writes (GUV_REPORT) must prove that it was in the process: a failed
LD_PRELOAD is only a warning.
"""
import argparse
import difflib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

SKIPPED = 77  # the program says why


class Outcome(NamedTuple):
    pid: int
    status: int
    stdout: str
    stderr: str
    report: list


def environment(preload, report, extra):
    """The caller's environment; GUV_* settings of the caller only reach the run under guv."""
    inherited = {k: v for k, v in os.environ.items() if preload or not k.startswith("GUV_")}
    inherited.pop("LD_PRELOAD", None)
    inherited.update(LC_ALL="C", TZ="UTC")
    if preload:
        inherited.update(extra)
        inherited.update(LD_PRELOAD=str(preload), GUV_REPORT=str(report))
    return inherited


def read_report(path):
    """The JSON lines of a report, and a complaint when one cannot be read."""
    if not path.exists():
        return []
    events = []
    for line in path.read_text(errors="replace").splitlines():
        try:
            events.append(json.loads(line))
        except ValueError:
            fail(f"the report holds a line that is not JSON: {line!r}")
    return events


def describe_status(status):
    if status < 0:
        # The names of the real-time signals between the first and the last are not known to Python.
        known = {number.value: number.name for number in signal.Signals}
        return f"killed by {known.get(-status, f'signal {-status}')}"
    return f"exit status {status}"


def dump_process(pid):
    """Shows where a hung process is, before it is killed."""
    for task in sorted(Path(f"/proc/{pid}/task").glob("*")):
        facts = []
        for name in ("comm", "wchan", "syscall"):
            try:
                facts.append((task / name).read_text().strip())
            except OSError as error:
                facts.append(f"({error.strerror})")
        print(f"  task {task.name}: {' | '.join(facts)}")
    if shutil.which("gdb"):
        try:
            gdb = subprocess.run(["gdb", "-p", str(pid), "-batch", "-nx", "-ex", "set pagination off",
                                  "-ex", "thread apply all backtrace 30"],
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                 timeout=40, text=True, errors="replace", check=False)
            print(gdb.stdout[-20000:])
        except subprocess.TimeoutExpired:
            print("  (gdb did not finish)")


def fail(message):
    print(message)
    sys.exit(1)


def run(command, preload, timeout, extra):
    """Runs the command in a directory of its own and in its own session; its output goes to files, not pipes, so that
    nothing it leaves behind can hold us up."""
    label = "under guv" if preload else "plain"
    with tempfile.TemporaryDirectory(prefix="guv-test-") as scratch_name:
        scratch = Path(scratch_name)
        report = scratch / "report"
        work = scratch / "work"
        work.mkdir()
        with open(scratch / "stdout", "wb") as out, open(scratch / "stderr", "wb") as err:
            process = subprocess.Popen(command, cwd=work, env=environment(preload, report, extra),
                                       stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True)
            try:
                process.wait(timeout)
            except subprocess.TimeoutExpired:
                print(f"{label}: did not finish within {timeout:g} s")
                dump_process(process.pid)
                try:
                    os.killpg(process.pid, signal.SIGKILL)  # the session that we started, nothing else
                except ProcessLookupError:
                    pass
                process.wait()
                for name in ("stdout", "stderr"):
                    print(f"--- {name} so far\n{(scratch / name).read_text(errors='replace')[-4000:]}")
                sys.exit(1)
        texts = [(scratch / name).read_text(errors="replace") for name in ("stdout", "stderr")]
        return Outcome(process.pid, process.returncode, *texts, read_report(report))


def differences(name, plain, guv, ignored=None):
    """A unified diff as a string, empty when there is nothing to tell."""
    def kept(text):
        return [line for line in text.splitlines() if not (ignored and ignored.search(line))]
    return "\n".join(difflib.unified_diff(kept(plain), kept(guv), f"{name} plain", f"{name} under guv", lineterm=""))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preload", type=Path, help="libguv.so; without it the program is only run plainly")
    parser.add_argument("--timeout", type=float, default=60, help="seconds for each run")
    parser.add_argument("--stderr", type=re.compile, metavar="REGEX", help="lines of stderr that are not compared")
    parser.add_argument("--no-threads", action="store_true", help="it starts no thread: guv need not have started")
    parser.add_argument("--guv-env", action="append", default=[], metavar="NAME=VALUE", help="for the run under guv")
    parser.add_argument("--repeat", type=int, default=1, help="so many runs under guv")
    parser.add_argument("--show", action="store_true", help="print what the program printed")
    parser.add_argument("program", type=Path)
    parser.add_argument("arguments", nargs="*")
    options = parser.parse_args()
    command = [str(options.program.resolve()), *options.arguments]
    extra = dict(pair.split("=", 1) for pair in options.guv_env)
    if options.preload and not options.preload.exists():
        fail(f"there is no {options.preload}")

    plain = run(command, None, options.timeout, extra)
    if options.show:
        print(plain.stdout, plain.stderr, sep="", end="")
    if plain.status == SKIPPED:
        print(plain.stdout)
        sys.exit(SKIPPED)
    if "EXIT-SUCCESS" not in plain.stdout.splitlines():
        fail(f"plain: no EXIT-SUCCESS, {describe_status(plain.status)}\n{plain.stdout}{plain.stderr}")
    for _ in range(options.repeat if options.preload else 0):
        guv = run(command, options.preload.resolve(), options.timeout, extra)
        found = [part for part in (differences("stdout", plain.stdout, guv.stdout),
                                   differences("stderr", plain.stderr, guv.stderr, options.stderr)) if part]
        if plain.status != guv.status:
            found.append(f"plain: {describe_status(plain.status)}; under guv: {describe_status(guv.status)}")
        started = any(event.get("event") == "start" and event.get("pid") == guv.pid for event in guv.report)
        if not started and not options.no_threads:
            found.append("nothing proves that guv was in the process: the report has no start line for it: "
                         f"{guv.report}")
        if found:
            fail("\n".join(found))
        if options.show:
            print("report:", *guv.report, sep="\n  ")


if __name__ == "__main__":
    main()
