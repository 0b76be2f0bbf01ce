#!/usr/bin/env python3
"""Each of guv-run's options that reach the library does what it says, seen from outside: by the report and the kernel tasks.

options_test.py GUV_RUN LIBRARY PROGRAMS_DIRECTORY
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

GUV_RUN, LIBRARY, PROGRAMS = sys.argv[1:4]
passed = failed = 0


# Neither by /proc/self/mem (pwrite64) nor by mprotect for writing and execution.
FORBID_PATCHING = """
load, equal, mask, answer, allow, refuse = 0x20, 0x15, 0x54, 0x06, 0x7fff0000, 0x00050001
program = b"".join(struct.pack("HBBI", *line) for line in (
    (load, 0, 0, 0), (equal, 4, 0, 18), (equal, 0, 4, 10), (load, 0, 0, 32), (mask, 0, 0, 6), (equal, 0, 1, 6),
    (answer, 0, 0, refuse), (answer, 0, 0, allow)))
buffer = ctypes.create_string_buffer(program)
prctl = ctypes.CDLL(None, use_errno=True).prctl
filter = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(buffer))
if prctl(38, 1, 0, 0, 0) or prctl(22, 2, filter, 0, 0):  # PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP
    os.write(2, os.strerror(ctypes.get_errno()).encode())
    os._exit(77)
"""


def run(options, program, *arguments, extra=None):
    """The program's result and what guv reported of it."""
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch, "report")
        environment = {k: v for k, v in os.environ.items() if not k.startswith("GUV_") and k != "LD_PRELOAD"}
        environment.update(GUV_LIBRARY=LIBRARY, **(extra or {}))
        result = subprocess.run([GUV_RUN, f"--report={report}", *options, program, *arguments], env=environment,
                                capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
        lines = [json.loads(line) for line in report.read_text().splitlines()] if report.exists() else []
        return result, lines


def check(name, condition, detail=""):
    global passed, failed
    if condition:
        passed += 1
    else:
        failed += 1
        print(f"FAILED: {name}\n{detail}")


def green(lines):
    """How many green threads were made; None when guv never started."""
    if not any(line["event"] == "start" for line in lines):
        return None
    return max((line["green_threads"] for line in lines if line["event"] == "exit"), default=0)


def program(name):
    return str(Path(PROGRAMS, name))


def main():
    threads = program("thread_join")
    plain, lines = run([], threads)
    check("threads are green by default", plain.returncode == 0 and (green(lines) or 0) > 0, plain.stderr)

    for options in (["--families=-thread"], ["--families=none"], ["--families=io,socket"]):
        result, lines = run(options, threads)
        check(f"{options[0]} leaves threads to the kernel", green(lines) is None, lines)
        check(f"{options[0]} changes nothing else", (result.returncode, result.stdout) == (0, plain.stdout), result.stderr)

    result, lines = run(["--native-threads=thread_join"], threads)
    check("--native-threads by the program's own name", not green(lines) and result.stdout == plain.stdout, lines)
    result, lines = run(["--native-threads=libnothing.so,libelse"], threads)
    check("--native-threads of others changes nothing", (green(lines) or 0) > 0 and result.stdout == plain.stdout, lines)

    names = program("names")
    expected, _ = run(["--families=none"], names)
    for options in ([], ["--no-dns"], ["--no-patch-libc"]):
        result, lines = run(options, names)
        check(f"names resolve with {options or 'no options'}",
              (result.returncode, result.stdout) == (0, expected.stdout), result.stdout + result.stderr)
    result, lines = run(["--no-patch-libc"], threads)
    check("--no-patch-libc patches nothing", all(line["patched_entries"] == 0 for line in lines) and lines, lines)

    # 64 KiB are enough for what these threads do, and a thread that asks for more gets it.
    for stack_program in ("thread_join", "thread_stack_protector"):
        if Path(program(stack_program)).exists():
            result, lines = run(["--stack-size=64K"], program(stack_program))
            check(f"--stack-size=64K with {stack_program}", result.returncode == 0, result.stdout + result.stderr)

    for variable, value, complaint in (("GUV_FAMILIES", "tiem", "tiem"), ("GUV_FAMILIES", "-sync", "sync stays on"),
                                       ("GUV_STACK_SIZE", "12Q", "12Q")):
        result, _ = run([], threads, extra={variable: value})
        check(f"{variable}={value} is complained of", complaint in result.stderr, result.stderr)
        check(f"{variable}={value} does not stop the program", result.stdout == plain.stdout, result.stdout)

    child = ["/bin/sh", "-c", f"exec {threads}"]
    _, lines = run(["--children=yes"], *child)
    check("--children=yes reaches what sh starts", (green(lines) or 0) > 0, lines)
    # sh itself must not exec the same process image with the preload gone: it starts a child.
    child = ["/bin/sh", "-c", f"{threads}; exit 0"]
    _, lines = run(["--children=no"], *child)
    check("--children=no does not", green(lines) is None, lines)

    result, _ = run(["--verbose"], threads)
    check("--verbose says what is done", "threads of process" in result.stderr, result.stderr)
    check("--verbose changes nothing else", result.stdout == plain.stdout, result.stdout)

    _, lines = run([], program("quick_exit"))
    events = [(line["event"], line["pid"]) for line in lines]
    check("the report has both lines of every process that quick_exit ends, of children too",
          sorted(events) == sorted((event, pid) for pid in {pid for _, pid in events} for event in ("start", "exit"))
          and len(events) == 4, lines)

    with tempfile.TemporaryDirectory() as scratch:
        odd = Path(scratch, 'quote"backslash\\' + "long" * 50)
        shutil.copy(threads, odd)
        _, lines = run([], str(odd))  # lines that are not JSON raise
        check("the report survives any name of a program", [line["event"] for line in lines] == ["start", "exit"], lines)

    for name, limits, said in (
            ("descriptors", "resource.setrlimit(resource.RLIMIT_NOFILE, (4, 4))", "(raise ulimit -n)"),
            ("address space", "resource.setrlimit(resource.RLIMIT_AS, (1 << 31, 1 << 31))", "guv-run --stack-size"),
            ("leave to change its code", FORBID_PATCHING, "cannot be patched here (Operation not permitted)")):
        size = "1G" if name == "address space" else "256K"
        result = subprocess.run([sys.executable, "-c", f"""
import ctypes, os, resource, struct
{limits}
os.environ.update(LD_PRELOAD={LIBRARY!r}, GUV_STACK_SIZE={size!r})
os.execv({threads!r}, [{threads!r}])"""], capture_output=True, text=True)
        if result.returncode == 77:
            print(f"skipped: without {name}: {result.stderr.strip()}")
            continue
        check(f"without {name} guv says what to do, once", result.stderr.count("guv: ") == 1 and said in result.stderr,
              result.stderr)
        if limits is FORBID_PATCHING:
            check(f"without {name} the program goes on", result.stdout == plain.stdout, result.stdout)

    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
