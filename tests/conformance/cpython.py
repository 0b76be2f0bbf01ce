#!/usr/bin/env python3
"""CPython 3.11's own tests (Debian's libpython3.11-testsuite), natively and under guv, one row per test case.

Each module runs in a process of its own, as `python3 -m test -v MODULE`. libguv.so is preloaded into that python, and its
children inherit it, as they would at a user's.
"""

import dataclasses
import os
import re
import subprocess
import sys

import suite

PACKAGE = "libpython3.11-testsuite"
TESTS = "/usr/lib/python3.11/test"
MODULES = """
    asyncio concurrent_futures epoll eintr fcntl file_eintr fork1 httplib httpservers io ioctl logging mmap
    multiprocessing_fork multiprocessing_forkserver multiprocessing_main_handling multiprocessing_spawn openpty os pipes poll
    popen posix pty queue sched select selectors signal socket socketserver ssl subprocess syslog tempfile thread
    threadedtempfile threading threading_local threadsignals time timeout urllib2_localnet wait3 wait4 xmlrpc ftplib poplib
    imaplib smtplib telnetlib asyncore asynchat faulthandler ctypes interpreters
""".split()
# A module natively and under guv, on two processors; the others take less than 3 seconds.
SECONDS = {
    "concurrent_futures": 160, "asyncio": 125, "multiprocessing_spawn": 180, "multiprocessing_forkserver": 90,
    "multiprocessing_fork": 85, "ssl": 35, "signal": 50, "imaplib": 30, "io": 30, "xmlrpc": 28, "socket": 28, "subprocess": 33,
    "logging": 25, "multiprocessing_main_handling": 20, "faulthandler": 20, "selectors": 16, "ftplib": 10, "poll": 11,
    "threading": 13, "queue": 10, "poplib": 8, "eintr": 7, "fork1": 5, "wait3": 5, "wait4": 5, "threadsignals": 5, "os": 5,
    "httpservers": 4,
}
CASE = re.compile(r"(\w+) \(([\w.<>]+)\)")
SKIPPED = re.compile(r"(?:\.\.\. |^)skipped .*$")
FAILED = re.compile(r"^(FAIL|ERROR): \w+ \(([\w.<>]+)\)", re.MULTILINE)


def named(test, identity):
    """`test.test_os.FileTests.test_read` is known as `test_os.FileTests.test_read`, so that its module's name leads."""
    identity = identity.removeprefix("test.")
    return identity if identity.startswith(f"{test.name}.") else f"{test.name}.{identity}"


def cases(test, log, result):
    found, current = {}, None
    for line in log.splitlines():
        # Its result may follow lines later, behind a docstring, or with output of children in between.
        start = CASE.match(line)
        if start and start[1].startswith("test"):
            current = named(test, start[2])
            found[current] = suite.PASS
        if current and SKIPPED.search(line):
            found[current] = suite.SKIP
            current = None
    for kind, identity in FAILED.findall(log):
        found[named(test, identity)] = kind.lower()
    finished = result in (suite.PASS, "status 2") or re.search(r"^Ran \d+ test", log, re.MULTILINE)
    if not finished and current:
        found[current] = result
    told = any(outcome not in (suite.PASS, suite.SKIP) for outcome in found.values())
    found[test.name] = result if result != suite.PASS and not told else suite.PASS
    return found


def only(test, names):
    patterns = []
    for name in names:
        patterns += ["-m", f"*{name.removeprefix(test.name)}"]
    return dataclasses.replace(test, command=test.command[:-1] + patterns + test.command[-1:])


def seconds(name):
    return SECONDS.get(name.removeprefix("test_"), 3)


def main():
    options = suite.parser("cpython", __doc__).parse_args()
    if not os.path.isdir(f"{TESTS}/test_asyncio"):
        done = subprocess.run(["apt-get", "-qq", "install", "-y", PACKAGE], stdin=subprocess.DEVNULL, capture_output=True)
        if done.returncode != 0:
            suite.unavailable("cpython", f"{PACKAGE} cannot be installed")
    scratch = f"{options.work}/scratch"
    os.makedirs(scratch, exist_ok=True)
    os.chmod(scratch, 0o1777)
    environment = {"HOME": scratch, "TMPDIR": scratch, "PYTHONDONTWRITEBYTECODE": "1", "PATH": "/usr/bin:/bin"}
    tests = []
    for name in suite.chosen([f"test_{name}" for name in MODULES], options, seconds):
        command = ["/usr/bin/python3", "-m", "test", "-v", "--tempdir", scratch, "--timeout", "900"]
        command += ["-u", "network"] if name == "test_socketserver" else []
        tests.append(suite.Test(name, command + [name], scratch, environment, suite.NOBODY, 930, cases=cases, only=only))
    return suite.main("cpython", tests, options)


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    sys.exit(main())
