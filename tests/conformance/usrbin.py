#!/usr/bin/env python3
"""Hostile input: guv preloaded into whatever lies in /usr/bin.

Each program of a seeded sample runs with --version or --help, twice natively and then under guv, with GUV_CHILDREN=yes
and with no: standard output, standard error and exit status must be the same. Programs that do not do the same twice
natively are left out. As root the programs run as nobody; there is no network, HOME and the working directory are fresh
and empty for each run, and whatever a run leaves behind is killed.

  usrbin.py [--lib PATH] [--count 500] [--seed 1] [--slice MINUTES] [--only PATTERN] [--jobs N] [PROGRAM...]

The last line is "usrbin: native N, guv N, regressions R": how many programs are stable natively, how many of these do the
same under guv in both modes, how many do not. The exit status is 1 when there are regressions.
"""
import argparse
import concurrent.futures
import ctypes
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

DIRECTORY = Path("/usr/bin")
NOBODY = 65534
MODES = ("yes", "no")  # GUV_CHILDREN
BUILT = Path(__file__).resolve().parents[2] / "build/libguv_preload/libguv.so"
A_MINUTE = 100  # programs, on two CPUs

# What may not be started even so.
SKIPPED = {
    **dict.fromkeys(("reboot", "shutdown", "halt", "poweroff", "systemctl", "loginctl", "init", "telinit"),
                    "may stop the machine"),
    **dict.fromkeys(("kill", "pkill", "killall", "skill", "snice", "xkill", "fuser"), "may end other processes"),
    **dict.fromkeys(("chvt", "openvt", "deallocvt", "setfont", "loadkeys", "setterm"), "changes the machine's console"),
    **dict.fromkeys(("dmesg", "uptime", "w", "who", "top", "free", "vmstat", "lastlog"),
                    "shows the machine, not itself, when it ignores the option"),
}

CLONE_NEWNET, CLONE_NEWUSER = 0x40000000, 0x10000000
PR_SET_CHILD_SUBREAPER = 36
libc = ctypes.CDLL(None, use_errno=True)


class Outcome(NamedTuple):
    status: int | str
    stdout: bytes
    stderr: bytes

    def differs_in(self, other):
        """The names of what is not the same."""
        return [field for field in self._fields if getattr(self, field) != getattr(other, field)]


class Verdict(NamedTuple):
    program: str
    kind: str      # "same", "regression" or "unstable"
    detail: str = ""


def begin_worker():
    """No network for what this worker starts, and orphans come to it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if libc.unshare(CLONE_NEWNET) != 0:
        libc.unshare(CLONE_NEWUSER | CLONE_NEWNET)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def kill_leftovers():
    """Ends what the last run left behind, until nothing is left."""
    me = os.getpid()
    while left := Path(f"/proc/{me}/task/{me}/children").read_text().split():
        for pid in map(int, left):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def run_once(command, home, extra, limit):
    """One run in a fresh HOME; the path is the same each time, for it may be printed."""
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(mode=0o700)
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(home), "TMPDIR": str(home), "LC_ALL": "C.UTF-8",
                   "TERM": "dumb", "PAGER": "cat", "COLUMNS": "80", "LINES": "24", **extra}
    as_nobody = {}
    if os.geteuid() == 0:
        os.chown(home, NOBODY, NOBODY)
        as_nobody = dict(user=NOBODY, group=NOBODY, extra_groups=[])
    with open(home.with_suffix(".out"), "w+b") as out, open(home.with_suffix(".err"), "w+b") as err:
        # Files, not pipes: a daemon that keeps them open does not keep us waiting.
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=home, env=environment,
                                 start_new_session=True, umask=0o022, **as_nobody)
        try:
            status = child.wait(limit)
        except subprocess.TimeoutExpired:
            status = "time-out"
            child.kill()
            child.wait()
        kill_leftovers()
        out.seek(0)
        err.seek(0)
        return Outcome(status, out.read(), err.read())


def describe(native, guv, mode):
    lines = [f"GUV_CHILDREN={mode}: other {', '.join(native.differs_in(guv))}"]
    if native.status != guv.status:
        lines.append(f"  status natively {native.status}, under guv {guv.status}")
    for field in ("stdout", "stderr"):
        was, now = getattr(native, field).splitlines(), getattr(guv, field).splitlines()
        first = next((i for i, (a, b) in enumerate(zip(was, now)) if a != b), min(len(was), len(now)))
        if was != now:
            lines.append(f"  {field}, line {first + 1}: natively {was[first:first + 1]}, under guv {now[first:first + 1]}")
    return "\n".join(lines)


def try_program(path, option, library, scratch, limit):
    """Natively twice, under guv in each mode; a difference counts when it is seen three times, natively never."""
    home = Path(scratch) / f"home-{os.getpid()}"
    command = [path, option]
    name = f"{path} {option}"

    def natively():
        return run_once(command, home, {}, limit)

    try:
        native = natively()
        if native.status == "time-out":
            return Verdict(name, "unstable", "does not end by itself")
        if natively() != native:
            return Verdict(name, "unstable", "not the same twice")
        for mode in MODES:
            extra = {"LD_PRELOAD": library, "GUV_CHILDREN": mode}
            for _ in range(3):
                guv = run_once(command, home, extra, limit)
                if guv == native:
                    break
                if natively() != native:
                    return Verdict(name, "unstable", "not the same each time")
            else:
                return Verdict(name, "regression", describe(native, guv, mode))
        return Verdict(name, "same")
    except OSError as error:
        return Verdict(name, "unstable", f"cannot be started: {error.strerror}")


def sample(count, seed):
    chance = random.Random(seed)
    programs = sorted(str(path) for path in DIRECTORY.iterdir()
                      if path.name not in SKIPPED and path.is_file() and os.access(path, os.X_OK))
    chosen = sorted(chance.sample(programs, min(count, len(programs))))
    return [(path, chance.choice(("--version", "--help"))) for path in chosen]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lib", default=BUILT, help="the libguv.so to preload (default: that of build/)")
    parser.add_argument("--count", type=int, default=500, help="how many programs (default: 500)")
    parser.add_argument("--seed", type=int, default=1, help="which sample (default: 1)")
    parser.add_argument("--slice", type=float, metavar="MINUTES", help="only as many as take about so long")
    parser.add_argument("--only", metavar="PATTERN", help="only those that this regular expression finds")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="how many at a time")
    parser.add_argument("--limit", type=float, default=10, help="seconds for one run (default: 10)")
    parser.add_argument("--verbose", action="store_true", help="also list what was left out")
    parser.add_argument("programs", nargs="*", help="paths, instead of a sample; each with --version and --help")
    options = parser.parse_args()

    chosen = ([(path, option) for path in options.programs for option in ("--version", "--help")]
              or sample(options.count, options.seed))
    if options.slice:
        chosen = chosen[::max(1, round(len(chosen) / (options.slice * A_MINUTE)))]
    if options.only:
        chosen = [(path, option) for path, option in chosen if re.search(options.only, f"{path} {option}")]
    began = time.monotonic()
    scratch = tempfile.mkdtemp(prefix="guv-usrbin.")
    os.chmod(scratch, 0o755)
    library = shutil.copy(options.lib, Path(scratch) / "libguv.so")  # where nobody may read it
    os.chmod(library, 0o755)
    try:
        with concurrent.futures.ProcessPoolExecutor(options.jobs, initializer=begin_worker) as pool:
            verdicts = [work.result() for work in
                        [pool.submit(try_program, path, option, str(library), scratch, options.limit)
                         for path, option in chosen]]
    finally:
        shutil.rmtree(scratch, ignore_errors=True)

    kinds = {kind: [v for v in verdicts if v.kind == kind] for kind in ("same", "regression", "unstable")}
    for verdict in kinds["regression"] + (kinds["unstable"] if options.verbose else []):
        print(f"{verdict.kind}: {verdict.program}\n  " + verdict.detail.replace("\n", "\n  "))
    print(f"{len(chosen)} tried, {len(kinds['unstable'])} left out as not stable natively, "
          f"{time.monotonic() - began:.0f} s")
    native = len(kinds["same"]) + len(kinds["regression"])
    print(f"usrbin: native {native}, guv {len(kinds['same'])}, regressions {len(kinds['regression'])}")
    return 1 if kinds["regression"] else 0


if __name__ == "__main__":
    sys.exit(main())
