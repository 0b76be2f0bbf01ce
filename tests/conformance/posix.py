#!/usr/bin/env python3
"""The Open POSIX Test Suite (Debian's posixtestsuite), natively and under guv.

Fetched with apt-get source and built on the spot: those of its conformance tests that are about threads, semaphores, message
queues, signals, timers, asynchronous I/O, clocks, processes and scheduling. glibc's behaviour is the standard: a test that
fails natively does not matter.
"""

import contextlib
import glob
import os
import subprocess
import sys

import suite

INTERFACES = ("aio_", "clock_get", "clock_nanosleep", "fork", "fsync", "kill", "lio_", "mq_", "nanosleep", "pthread_", "raise",
              "sched_yield", "sem_", "shm_", "sig", "timer_")
# posixtest.h
RESULTS = {0: suite.PASS, 1: "fail", 2: "unresolved", 4: "unsupported", 5: "untested"}
SECONDS = 0.7  # for one test, natively and under guv, on two processors


def build(job):
    source, program, include = job
    if os.path.exists(program):
        return True
    command = ["gcc", "-O1", "-w", "-std=gnu99", "-D_GNU_SOURCE", f"-I{include}", "-I.", os.path.basename(source), "-o",
               program, "-lpthread", "-lrt", "-lm"]
    done = subprocess.run(command, cwd=os.path.dirname(source), capture_output=True)
    return done.returncode == 0


@contextlib.contextmanager
def many_messages():
    """Some tests open queues that hold more messages than an ordinary user may have by default."""
    path = "/proc/sys/fs/mqueue/msg_max"
    before = None
    try:
        with open(path) as file:
            before = file.read()
        with open(path, "w") as file:
            file.write("64")
    except OSError:
        before = None
    try:
        yield
    finally:
        if before:
            with open(path, "w") as file:
                file.write(before)


def main():
    options = suite.parser("posix", __doc__).parse_args()
    root = f"{suite.fetch_source('posix', 'posixtestsuite', options.work)}/conformance/interfaces"
    include = os.path.realpath(f"{root}/../../include")
    bin_folder, folder = f"{options.work}/bin", f"{options.work}/cwd"
    for path in (bin_folder, folder, f"{options.work}/again"):
        os.makedirs(path, exist_ok=True)
    os.chmod(folder, 0o1777)
    sources = {}
    for pattern in ("*/[0-9]*-[0-9]*.c", "*/speculative/*.c"):
        for source in glob.glob(f"{root}/{pattern}"):
            name = os.path.relpath(source, root)[:-2]
            if name.startswith(INTERFACES) and "buildonly" not in name:
                sources[name] = source
    names = suite.chosen(sources, options, lambda name: SECONDS)
    programs = {name: f"{bin_folder}/{name.replace('/', '_')}" for name in names}
    built = suite.build_in_parallel(options.jobs, build, [(sources[name], programs[name], include) for name in names])
    # sigpause and some others no longer compile; natively as little as under guv.
    tests = [suite.Test(name, [programs[name]], folder, user=suite.NOBODY, seconds=32, results=RESULTS)
             for name, fine in zip(names, built) if fine]
    with many_messages():
        return suite.main("posix", tests, options)


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    sys.exit(main())
