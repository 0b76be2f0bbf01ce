#!/usr/bin/env python3
"""libuv's own test suite (Debian's libuv1), natively and under guv, each test in its own run of uv_run_tests.

Its loop, its pool of threads and its children (the test program again, as a server or a helper) all go through guv.
"""

import os
import shutil
import subprocess
import sys

import suite

# test/task.h: TEST_SKIP
RESULTS = {0: suite.PASS, 7: suite.SKIP}
SECONDS = 0.35  # for one test, natively and under guv


def build(source, folder, jobs):
    program = f"{folder}/uv_run_tests"
    if not os.path.exists(program):
        if not shutil.which("cmake"):
            suite.unavailable("libuv", "cmake is not installed")
        for command in (["cmake", "-S", source, "-B", folder],
                        ["cmake", "--build", folder, "-j", str(jobs), "-t", "uv_run_tests"]):
            subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    return program


def main():
    options = suite.parser("libuv", __doc__).parse_args()
    source = os.path.realpath(suite.fetch_source("libuv", "libuv1", options.work))
    program = build(source, f"{options.work}/build", options.jobs)
    scratch = f"{options.work}/scratch"
    # They look for their fixtures below the folder they run in, and write there.
    shutil.copytree(f"{source}/test/fixtures", f"{scratch}/test/fixtures", dirs_exist_ok=True)
    for folder, _, files in os.walk(scratch):
        for path in (folder, *(f"{folder}/{file}" for file in files)):
            os.chown(path, suite.NOBODY, suite.NOBODY)
    listed = subprocess.run([program, "--list"], check=True, capture_output=True, text=True,
                            env={**os.environ, "UV_RUN_AS_ROOT": "1"})
    # A line is a name and the helpers that it starts.
    names = suite.chosen([line.split()[0] for line in listed.stdout.splitlines() if line.strip()], options,
                         lambda name: SECONDS)
    # Many share a port: one at a time.
    options.jobs = 1
    tests = [suite.Test(name, [program, name], scratch, {"HOME": scratch, "TMPDIR": scratch}, suite.NOBODY, 60, RESULTS)
             for name in names]
    return suite.main("libuv", tests, options)


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    sys.exit(main())
