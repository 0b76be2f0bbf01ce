#!/usr/bin/env python3
"""The stressors of stress-ng (Debian's stress-ng) that lean on the C library and the system calls under it, each for a second.

They verify what the calls did, with children, threads and signals of their own. A stressor passes when it found nothing wrong
and got something done; those that need privileges or devices which are not here count as skipped.
"""

import os
import re
import shutil
import sys

import suite

# Left out: what only computes or uses up memory, changes the machine (cpu-online, module, swap, mounts), is about devices, or may
# get nothing done in a second.
STRESSORS = {
    "threads": "context dekker futex membarrier mutex peterson pthread race-sched schedpolicy sem set "
               "tlb-shootdown yield",
    "processes": "affinity cap clone daemon dynlib env exec exit-group fork funcret get getdent kcmp kill landlock "
                 "loadavg nice null personality pidfd prctl ptrace resched rlimit session spawn switch sysinfo "
                 "unshare vfork wait waitcpu zombie",
    "signals": "alarm nanosleep sigabrt sigchld sigfd sigfpe sigio signal signest sigpending sigpipe sigq sigrt "
               "sigsegv sigsuspend sigtrap sleep",
    "time": "clock itimer timer timerfd",
    "memory": "mincore mlock mmapaddr mprotect msync munmap pagemove pkey remap stackmmap",
    "files": "access aio aiol chattr chmod chown close copy-file dentry dev-shm dirdeep dirmany dnotify dup fcntl "
             "fiemap file-ioctl flock fpunch fsize fstat full getrandom handle hdd inotify io iomix ioprio lease "
             "link locka lockf lockofd memfd mknod open rename revio seal seek symlink sync-file urandom utime "
             "xattr zero",
    "pipes": "epoll eventfd fifo pipe pipeherd poll pty ring-pipe sendfile splice tee",
    "sockets": "sock sockabuse sockdiag sockfd sockmany sockpair udp udp-flood",
    "ipc": "mq msg sem-sysv shm shm-sysv",
}
# stress-ng(1), EXIT STATUS
RESULTS = {0: suite.PASS, 3: suite.SKIP, 4: suite.SKIP}
SECONDS = 3  # for one test, natively and under guv


def progress(test, log, result):
    """What a run without failures is worth: nothing where nothing was done."""
    done = re.search(rf"^stress-ng: (?:info|metrc): .*\] {re.escape(test.name)} +(\d+)", log, re.MULTILINE)
    if result == suite.PASS and not (done and int(done[1])):
        result = "nothing was done"
    return {test.name: result}


def main():
    options = suite.parser("stress_ng", __doc__).parse_args()
    program = shutil.which("stress-ng")
    if not program:
        suite.unavailable("stress_ng", "stress-ng is not installed")
    scratch = f"{options.work}/scratch"
    shutil.rmtree(scratch, ignore_errors=True)
    os.makedirs(scratch)
    os.chown(scratch, suite.NOBODY, suite.NOBODY)
    names = suite.chosen(" ".join(STRESSORS.values()).split(), options, lambda name: SECONDS)
    tests = [suite.Test(name, [program, f"--{name}", "1", "--timeout", "1", "--verify", "--oomable", "--metrics-brief",
                               "--temp-path", scratch],
                        scratch, user=suite.NOBODY, seconds=60, results=RESULTS, cases=progress) for name in names]
    return suite.main("stress_ng", tests, options)


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    sys.exit(main())
