"""What the scripts that run foreign suites share: fetch from Debian, run each test alone, compare native with guv.

A suite is a list of Test. `main` runs them natively and with LD_PRELOAD of libguv.so on the tested program only, and prints

  NAME: native N, guv N, regressions R

with the list of what passes natively and not under guv. known_failures_NAME.txt has "test: reason" lines; their tests must
fail, so that the list shrinks when guv learns something. See docs/conformance.md.
"""

import argparse
import contextlib
import ctypes
import dataclasses
import glob
import hashlib
import multiprocessing
import os
import re
import resource
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.realpath(__file__))
PASS = "pass"
SKIP = "skip"
UNAVAILABLE = 77  # exit status
PR_SET_CHILD_SUBREAPER = 36
CLONE_NEWIPC = 0x08000000
NOBODY = 65534
MOST_KNOWN = {"posix": 10, "cpython": 5, "libuv": 5, "glibc": 5}
NATIVE_RUNS = 20


@dataclasses.dataclass(frozen=True)
class Test:
    name: str
    command: list
    folder: str
    environment: dict = dataclasses.field(default_factory=dict)
    user: int | None = None  # to run as, where we are root
    seconds: float = 30
    results: dict = dataclasses.field(default_factory=lambda: {0: PASS})  # what an exit status means
    # A program that runs many test cases: cases(test, log, result) -> {case: result}; only(test, cases) -> Test that runs just these.
    cases: object = None
    only: object = None


def unavailable(suite, reason):
    """Ends the program: the suite cannot be had here."""
    print(f"{suite}: skipped: {reason}")
    sys.exit(UNAVAILABLE)


def fetch_source(suite, package, folder):
    """Unpacks a Debian source package under `folder`, once; its path. The system's own package lists stay as they are."""
    os.makedirs(folder, exist_ok=True)
    found = [path for path in glob.glob(f"{folder}/{package}-[0-9]*") if os.path.isdir(path)]
    if found:
        return found[0]
    lists = f"{folder}/lists"
    os.makedirs(f"{lists}/partial", exist_ok=True)
    release = subprocess.run(["sh", "-c", ". /etc/os-release; echo $VERSION_CODENAME"], capture_output=True, text=True)
    with open(f"{folder}/deb-src.sources", "w") as sources:
        sources.write("Types: deb-src\nURIs: http://deb.debian.org/debian\n"
                      f"Suites: {release.stdout.strip()}\nComponents: main contrib non-free\n"
                      "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n")
    apt = ["apt-get", "-qq", "-o", f"Dir::Etc::SourceList={folder}/deb-src.sources", "-o", "Dir::Etc::SourceParts=/dev/null",
           "-o", f"Dir::State::Lists={lists}", "-o", "APT::Sandbox::User=root"]
    for command in (["update"], ["source", package]):
        done = subprocess.run(apt + command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode != 0:
            unavailable(suite, f"apt-get {' '.join(command)} failed: {done.stderr.strip().splitlines()[-1:]}")
    return [path for path in glob.glob(f"{folder}/{package}-[0-9]*") if os.path.isdir(path)][0]


def build_in_parallel(jobs, build, items):
    """`build(item)` for every item, `jobs` at a time; the list of results."""
    with multiprocessing.Pool(jobs) as pool:
        return pool.map(build, items, chunksize=1)


def descendants():
    """All processes below this one, also those that have lost their parent (we are their subreaper)."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat") as stat:
                    text = stat.read()
                parents[int(entry)] = int(text[text.rindex(")") + 2:].split()[1])
            except OSError:
                pass
    below = []
    for process in parents:
        above = parents[process]
        while above in parents and above not in (0, 1, os.getpid()):
            above = parents[above]
        if above == os.getpid():
            below.append(process)
    return below


def end_descendants():
    for _ in range(100):
        left = descendants()
        if not left:
            return
        for process in left:
            try:
                os.kill(process, signal.SIGKILL)
            except OSError:
                pass
        time.sleep(0.01)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return


def start_worker():
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    # Some tests leave message queues behind, which would count against the user's limit for ever; and some want longer ones
    # than anybody may make by default. (Where we are not root, so it is.)
    if ctypes.CDLL(None).unshare(CLONE_NEWIPC) == 0:
        with contextlib.suppress(OSError), open("/proc/sys/fs/mqueue/msg_max", "w") as most:
            most.write("256")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Caught, not ignored: the tested programs would inherit that, and they must find the default.
    for number in (signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, lambda *_: None)


def run_one(job):
    test, lib, logs = job
    environment = {**os.environ, **test.environment}
    environment.pop("LD_PRELOAD", None)
    if lib:
        environment["LD_PRELOAD"] = lib
    who = {}
    if test.user is not None and os.geteuid() == 0:
        who = {"user": test.user, "group": test.user, "extra_groups": []}
    started = time.monotonic()
    path = f"{logs}/{re.sub(r'[^A-Za-z0-9_.+-]', '_', test.name)}"
    with open(path, "wb") as log:
        process = subprocess.Popen(test.command, cwd=test.folder, env=environment, stdin=subprocess.DEVNULL, stdout=log,
                                   stderr=subprocess.STDOUT, start_new_session=True, **who)
        try:
            status = process.wait(test.seconds)
            result = f"signal {-status}" if status < 0 else test.results.get(status, f"status {status}")
        except subprocess.TimeoutExpired:
            result = "time out"
            end_descendants_of_session(process.pid)
            process.wait()
    end_descendants()
    seconds = time.monotonic() - started
    if not test.cases:
        return test.name, {test.name: result}, seconds
    with open(path, errors="replace") as log:
        return test.name, test.cases(test, log.read(), result), seconds


def end_descendants_of_session(session):
    try:
        os.killpg(session, signal.SIGKILL)
    except OSError:
        pass


def run(tests, lib, jobs, work):
    """{name: result} of every test case, with libguv.so preloaded where `lib` says which."""
    logs = f"{work}/logs-{'guv' if lib else 'native'}"
    os.makedirs(logs, exist_ok=True)
    results = {}
    with open(f"{logs}.tsv", "w") as table, multiprocessing.Pool(jobs, start_worker) as pool:
        for name, cases, seconds in pool.imap_unordered(run_one, [(test, lib, logs) for test in tests]):
            results.update(cases)
            for case, result in cases.items():
                table.write(f"{case}\t{result}\t{seconds if case == name else 0:.2f}\n")
            table.flush()
    return results


def known_failures(suite):
    """{test: reason}; a suite without a list has none."""
    if suite not in MOST_KNOWN:
        return {}
    with open(f"{HERE}/known_failures_{suite}.txt") as lines:
        entries = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    known = {name.strip(): reason.strip() for name, _, reason in (entry.partition(": ") for entry in entries)}
    without = [name for name, reason in known.items() if not reason]
    if without or len(known) > MOST_KNOWN[suite]:
        sys.exit(f"{suite}: at most {MOST_KNOWN[suite]} known failures, each with a reason; without one: {without}")
    return known


def parser(suite, text):
    result = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    result.add_argument("--lib", default=os.path.join(HERE, "../../build/libguv_preload/libguv.so"),
                        help="the libguv.so to put to the test (default: that of build/)")
    result.add_argument("--slice", type=float, metavar="MINUTES", help="only a fixed part that takes about so long")
    result.add_argument("--only", metavar="PATTERN", help="only tests whose names this regular expression finds")
    result.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    result.add_argument("--work", default=f"/var/tmp/guv-conformance/{suite}", help="where sources, builds and logs go")
    return result


def chosen(names, options, seconds):
    """The tests asked for. A slice is always the same: in the order of their hashes, those that still fit into it, when each
    takes `seconds(name)` of two processors."""
    names = sorted(names)
    if options.only:
        names = [name for name in names if re.search(options.only, name)]
    if options.slice:
        fitting, left = [], options.slice * 60
        for name in sorted(names, key=lambda name: hashlib.md5(name.encode()).hexdigest()):
            if seconds(name) <= left:
                fitting.append(name)
                left -= seconds(name)
        names = sorted(fitting)
    return names


def tests_of(tests, names):
    """The tests that run these test cases, and no others where that can be."""
    left, result = set(names), []
    for test in tests:
        mine = [name for name in left if name == test.name or (test.cases and name.startswith(f"{test.name}."))]
        if mine:
            left -= set(mine)
            result.append(test.only(test, mine) if test.only and test.name not in mine else test)
    return result


def unsteady_among(failed, tests, lib, work):
    """Tests of time fail on a busy machine, and some are races: what passes under guv alone, or fails natively once in a
    while. More than a handful of failures are no accident."""
    again = run(tests_of(tests, failed), lib, 1, work)
    steady = [name for name in failed if again.get(name) != PASS]
    for _ in range(NATIVE_RUNS if len(steady) <= 10 else 1):
        native = run(tests_of(tests, steady), None, 1, work)
        steady = [name for name in steady if native.get(name, PASS) == PASS]
        if not steady:
            break
    return set(failed) - set(steady)


def main(suite, tests, options):
    """Runs, compares and prints; the exit status."""
    lib = os.path.realpath(options.lib)
    if not os.path.exists(lib):
        sys.exit(f"{suite}: {lib} does not exist (--lib)")
    known = known_failures(suite)
    native = run(tests, None, options.jobs, options.work)
    guv = run(tests, lib, options.jobs, options.work)
    failed = sorted(name for name in native.keys() | guv.keys() if name not in known
                    and native.get(name, PASS) == PASS and guv.get(name, "not run") != PASS)
    unsteady = unsteady_among(failed, tests, lib, f"{options.work}/again") if failed else set()
    regressions = [name for name in failed if name not in unsteady]
    cured = [name for name in known if guv.get(name) == PASS]
    for name in failed:
        print(f"  {'unsteady' if name in unsteady else 'regression'}: {name}: {guv.get(name, 'not run')}")
    for name in cured:
        print(f"  known failure that passes, take it off the list: {name}")
    passed = [sum(result == PASS for result in results.values()) for results in (native, guv)]
    listed = sum(name in guv for name in known)
    print(f"{suite}: native {passed[0]}, guv {passed[1]}, regressions {len(regressions)}"
          + (f" (and {listed} known)" if listed else ""))
    return 1 if regressions or cured else 0
