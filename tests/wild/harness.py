"""The frame around a case: what a trial may start, what it records, and what is told when it goes wrong.

A case is a function `case(trial)`. It runs once natively and once under guv; everything it records with `trial.see` must
come out the same. `trial.program` starts the program that is put to the test (LD_PRELOAD goes into its environment and
nobody else's); `trial.helper` starts what stands around it and is always native.
"""

import collections
import glob
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

GREEN_TASKS = 16  # A program under guv has a hub, libuv's pool and no kernel thread per thread of its own.
HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAMS = os.path.join(HERE, "programs")
PYTHON = "/usr/bin/python3"  # The distribution's: a pyenv shim would not be the program that users run.


class Skip(Exception):
    """The case cannot run here; the reason is for people."""


class Failure(Exception):
    """The program did not do what it must."""


def case(name, summary, needs=(), threads=0, known=None):
    """Declares a case.

    `needs` are files or commands, `threads` is how many kernel threads the native run must show, and `known` says why the
    program does not work under guv yet: then it must not."""

    def declare(function):
        CASES[name] = Case(name, summary, tuple(needs), threads, known, function)
        return function

    return declare


Case = collections.namedtuple("Case", "name summary needs threads known function")
CASES = {}

# The time of one trial, for the slowest machine: no wait has a smaller limit of its own.
SECONDS = 150


def as_user(user):
    """The arguments for subprocess that run a program as this user id; none for ourselves."""
    return {"user": user, "group": user, "extra_groups": []} if user else {}


def find(*candidates):
    """Returns the first of these commands or files (globs allowed) that exists; skips the case when none does."""
    for candidate in candidates:
        if "/" in candidate:
            found = sorted(glob.glob(candidate))
            if found:
                return found[-1]
        elif shutil.which(candidate, path=PATH):
            return shutil.which(candidate, path=PATH)
    raise Skip("not installed: " + " or ".join(candidates))


PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"])


def free_port():
    """A TCP port that nobody uses on loopback now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def default_signals():
    # A test run in the background starts with SIGINT ignored, and the program would inherit that.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


class Program:
    """A process in a session of its own, with its output kept in files and its kernel threads watched."""

    def __init__(self, trial, argv, guv, env=None, user=None, through=(), goodbye=None, preloads="{}"):
        self.trial, self.argv, self.name, self.goodbye = trial, argv, os.path.basename(argv[0]), goodbye
        number = len(trial.programs)
        self.out = os.path.join(trial.dir, f"{number}-{self.name}.out")
        self.err = os.path.join(trial.dir, f"{number}-{self.name}.err")
        self.report = os.path.join(trial.dir, f"{number}-{self.name}.report")
        self.guv = guv
        environment = {"PATH": PATH, "HOME": trial.dir, "TMPDIR": trial.dir, "LANG": "C.UTF-8", **(env or {})}
        libraries = preloads.format(trial.lib if guv else "").strip(":")
        preload = {"LD_PRELOAD": libraries} if libraries else {}
        if guv:
            preload["GUV_REPORT"] = self.report
        if through:
            argv = [*through, "env", *(f"{name}={value}" for name, value in preload.items()), *argv]
        else:
            environment.update(preload)
        self.peak, self.mapped = 0, False
        with open(self.out, "wb") as out, open(self.err, "wb") as err:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=trial.dir, env=environment,
                                            start_new_session=True, preexec_fn=default_signals, **as_user(user))
        self.pid = self.process.pid
        self.watcher = threading.Thread(target=self.watch, daemon=True)
        self.watcher.start()

    def watch(self):
        """Keeps the highest number of kernel threads, for programs that end by themselves."""
        while self.process.returncode is None:
            self.peak = max(self.peak, self.tasks())
            if self.guv and not self.mapped:
                self.mapped = self.trial.lib in read(f"/proc/{self.pid}/maps")
            time.sleep(0.01)

    def tasks(self):
        """Kernel threads of the process now. The link count of /proc/PID/task says so without listing thousands."""
        try:
            return os.stat(f"/proc/{self.pid}/task").st_nlink - 2
        except OSError:
            return 0

    def descriptors(self):
        """Open descriptors of the process now; since Linux 6.2 the size of /proc/PID/fd says so."""
        try:
            return os.stat(f"/proc/{self.pid}/fd").st_size or len(os.listdir(f"/proc/{self.pid}/fd"))
        except OSError:
            return 0

    def alive(self):
        return self.process.poll() is None

    def output(self):
        return read(self.out)

    def errors(self):
        return read(self.err)

    def wait(self):
        """Waits for the program to end by itself; returns its exit status, -N for signal N."""
        try:
            return self.ended(self.process.wait(self.trial.left()))
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.name} (pid {self.pid}) does not end") from None

    def stop(self, number=signal.SIGTERM):
        """Sends a signal and returns the exit status, -N for signal N."""
        if self.process.poll() is not None:
            raise Failure(f"{self.name} (pid {self.pid}) ended before it was asked to, with status {self.process.returncode}")
        self.process.send_signal(number)
        try:
            return self.ended(self.process.wait(self.trial.left()))
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.name} (pid {self.pid}) does not end on {signal.Signals(number).name}") from None

    def ended(self, status):
        self.watcher.join()
        return status

    def kill(self):
        if self.goodbye and self.process.poll() is None:
            self.process.send_signal(self.goodbye)
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                pass
        if self.process.poll() is None:
            for pid in reversed(family(self.pid)):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            self.process.wait()

    def events(self):
        """What guv wrote about this program: one JSON object per line."""
        lines = [line for line in read(self.report).splitlines() if line.startswith("{")]
        return [json.loads(line) for line in lines]

    def started(self, pid):
        return any(event.get("event") == "start" and event.get("pid") == pid for event in self.events())

    def story(self):
        """What the program is doing, for the reader of a failure."""
        status = "still running" if self.alive() else f"status {self.process.returncode}"
        lines = [f"--- {' '.join(self.argv)[:200]}", f"    pid {self.pid}, {status}, {self.peak} kernel threads at most"]
        for label, path in (("stdout", self.out), ("stderr", self.err), ("report", self.report)):
            tail = read(path).splitlines()[-20:]
            lines += [f"    {label}: {line[:300]}" for line in tail]
        if self.alive():
            for pid in family(self.pid):
                lines += snapshot(pid)
            if self.guv:
                lines += backtrace(family(self.pid)[-1])
        return "\n".join(lines)


class Trial:
    """One run of a case, natively or under guv."""

    def __init__(self, case, lib, common):
        self.case, self.lib = case, lib
        self.common = common  # A directory that the native and the guv trial share, for things costly to make.
        self.dir = tempfile.mkdtemp(prefix=f"wild-{case.name}-")
        os.chmod(self.dir, 0o1777)  # Some programs run as a user of their own and have their files and reports here.
        self.programs, self.seen, self.load = [], {}, 0
        self.until = time.monotonic() + SECONDS

    @property
    def label(self):
        return "guv" if self.lib else "native"

    def left(self):
        """Seconds until the trial's time is up; never zero, so that it can be used as a time-out."""
        return max(0.1, self.until - time.monotonic())

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def write(self, name, text):
        """Writes a file of the trial's directory; returns its path."""
        with open(self.path(name), "w") as file:
            file.write(text)
        return self.path(name)

    def program(self, argv, **options):
        """Starts the program that the case is about.

        `env` is added to a small environment, `user` is who it runs as, and `through` is a command that ends by executing the
        words behind it: it runs natively, and guv is preloaded behind it. `preloads` says what else is preloaded: {} is guv."""
        self.programs.append(Program(self, argv, self.lib is not None, **options))
        return self.programs[-1]

    def helper(self, argv, **options):
        """Starts a program that is native in both trials. `goodbye`: the signal to end it with, where SIGKILL leaves things behind."""
        self.programs.append(Program(self, argv, False, **options))
        return self.programs[-1]

    def run(self, argv, **options):
        """Runs a native tool to its end and returns what it printed; a status other than 0 fails the case."""
        options.setdefault("env", {"PATH": PATH, "HOME": self.dir, "TMPDIR": self.dir, "LANG": "C.UTF-8"})
        try:
            done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  timeout=self.left(), text=True, errors="replace", cwd=self.dir, start_new_session=True, **options)
        except subprocess.TimeoutExpired:
            raise Failure(f"{argv[0]} does not end") from None
        if done.returncode:
            raise Failure(f"{' '.join(argv)[:200]} ended with status {done.returncode}:\n{done.stdout[-2000:]}")
        return done.stdout

    def see(self, what, value):
        """Records a fact that the two trials must agree on."""
        self.seen[what] = value

    def expect(self, what, value, wanted):
        """Records a fact and insists on what it must be."""
        self.see(what, value)
        if value != wanted:
            raise Failure(f"{what}: {value!r}, and not {wanted!r}")

    def until_true(self, question, complaint):
        """Waits for something to become true."""
        while not question():
            if time.monotonic() > self.until:
                raise Failure(complaint() if callable(complaint) else complaint)
            time.sleep(0.01)

    def until_listening(self, program, port, host="127.0.0.1"):
        """Waits for the program's listening socket without connecting to it: nothing of the load must be accidental."""
        wanted = f":{port:04X} "

        def listening():
            if not program.alive():
                raise Failure(f"{program.name} ended with status {program.process.returncode} instead of listening")
            tables = read("/proc/net/tcp") + read("/proc/net/tcp6")
            return any(line.split()[1].endswith(wanted.strip()) and line.split()[3] == "0A" for line in tables.splitlines() if ":" in line)

        self.until_true(listening, f"{program.name} does not listen on port {port}")

    def full_load(self, program, descriptors=0):
        """To be called when the program is as busy as it gets: counts its kernel threads and proves that guv is in it.

        `descriptors`: how many it must have open, which says that it has accepted all connections."""
        if descriptors:
            self.until_true(lambda: program.descriptors() >= descriptors,
                            lambda: f"{program.name} holds {program.descriptors()} descriptors, and not {descriptors}")
        if self.lib:
            self.in_process(program, program.pid)
            self.limit(program, program.tasks())
        else:
            # Threads start a moment after the connection was accepted.
            self.until_true(lambda: program.tasks() >= self.case.threads,
                            lambda: f"natively {program.tasks()} kernel threads at full load, and not {self.case.threads}")
        self.load = max(self.load, program.tasks())

    def settled(self, program, descriptors, threads):
        """Waits until connections that ended are gone from the program: some programs, natively, do not survive a SIGTERM that
        finds their threads at the end of a connection. `descriptors` and `threads`: how many it has when they are."""
        self.until_true(lambda: program.descriptors() <= descriptors,
                        lambda: f"{program.name} still holds {program.descriptors()} descriptors, and not {descriptors}")
        if not self.lib:
            self.until_true(lambda: program.tasks() <= threads,
                            lambda: f"natively {program.tasks()} kernel threads are left, and not {threads}")

    def in_process(self, program, pid):
        """Insists that guv runs in this process of the program."""
        if self.lib not in read(f"/proc/{pid}/maps"):
            raise Failure(f"{self.lib} is not mapped into process {pid}: guv was not there")
        if not program.started(pid):
            raise Failure(f"no start event of process {pid} in {program.name}'s report: guv is mapped, but its hub does not run")

    def limit(self, program, tasks):
        if tasks > GREEN_TASKS:
            raise Failure(f"{program.name} has {tasks} kernel threads under guv, more than {GREEN_TASKS}")

    def finished(self, program):
        """The same proof for a program that has ended: what was watched while it ran, and guv's own report."""
        if self.lib:
            self.limit(program, program.peak)
            if not program.started(program.pid):
                raise Failure(f"no start event in {program.name}'s report: guv was "
                              + ("mapped but its hub never ran" if program.mapped else "not there"))
        elif program.peak < self.case.threads:
            raise Failure(f"natively {program.peak} kernel threads at most, and not {self.case.threads}")
        self.load = max(self.load, program.peak)

    def close(self):
        for program in reversed(self.programs):
            program.kill()
        shutil.rmtree(self.dir, ignore_errors=True)


def read(path):
    try:
        with open(path, errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def family(pid):
    """The process and its descendants, parents first."""
    children = collections.defaultdict(list)
    for stat in glob.glob("/proc/[0-9]*/stat"):
        fields = read(stat).rpartition(")")[2].split()
        if fields:
            children[int(fields[1])].append(int(stat.split("/")[2]))
    pids = [pid]
    for parent in pids:
        pids += children[parent]
    return pids


def snapshot(pid):
    """Where the kernel threads of a process are, like ones counted together."""
    counts = collections.Counter()
    for task in glob.glob(f"/proc/{pid}/task/*"):
        comm, wchan = read(task + "/comm").strip(), read(task + "/wchan").strip()
        state = read(task + "/stat").rpartition(")")[2].split()[:1]
        counts[(comm, wchan, " ".join(read(task + "/syscall").split()[:2]), "".join(state))] += 1
    return [f"    pid {pid}: {count} x {comm}: state {state}, wchan {wchan}, syscall {syscall}"
            for (comm, wchan, syscall, state), count in counts.most_common(12)]


def backtrace(pid):
    if not shutil.which("gdb", path=PATH):
        return []
    try:
        done = subprocess.run(["gdb", "-nx", "-batch", "-p", str(pid), "-ex", "thread apply all bt 14"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=25, text=True, errors="replace",
                              env={"PATH": PATH, "DEBUGINFOD_URLS": ""})
    except subprocess.TimeoutExpired:
        return ["    gdb takes too long"]
    lines = [line for line in done.stdout.splitlines() if line.startswith(("Thread", "#"))]
    return ["    " + line[:180] for line in lines[:90]]


def attempt(case, lib, common):
    """Runs one trial; returns it, or None when it failed and its story has been told."""
    trial = Trial(case, lib, common)
    start, cpu = time.monotonic(), os.times()

    def overdue():
        # The case hangs where none of its own time-outs reaches.
        print(f"FAIL {case.name} ({trial.label}): the case itself hangs", flush=True)
        for program in trial.programs:
            print(program.story(), flush=True)
        trial.close()
        os._exit(1)

    alarm = threading.Timer(SECONDS + 10, overdue)
    alarm.daemon = True
    alarm.start()
    try:
        case.function(trial)
        trial.seconds = time.monotonic() - start
        return trial
    except (Failure, OSError, EOFError, subprocess.SubprocessError) as trouble:
        print(f"FAIL {case.name} ({trial.label}) after {time.monotonic() - start:.1f} s: {trouble or type(trouble).__name__}")
        if not isinstance(trouble, Failure):
            import traceback
            traceback.print_exc()
        for program in trial.programs:
            print(program.story(), flush=True)
        return None
    finally:
        alarm.cancel()
        trial.close()


def raise_limits():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard < 4096:
        raise Skip(f"only {hard} open files are allowed")


def run(case, lib, trials):
    """Runs a case natively and under guv, compares and says so; returns the exit status."""
    common = tempfile.mkdtemp(prefix=f"wild-{case.name}-common-")
    os.chmod(common, 0o755)
    try:
        raise_limits()
        for need in case.needs:
            find(need)
        done = []
        for label in trials:
            trial = attempt(case, lib if label == "guv" else None, common)
            if trial is None and label == "guv" and case.known:
                raise Skip(f"fails under guv as is known: {case.known}")
            if trial is None:
                return 1
            done.append(trial)
        status = compare(case, done)
        if case.known and "guv" in trials:
            print(f"FAIL {case.name}: it is listed as a known failure; take that away ({case.known})" if status == 0 else "")
            return 1
        return status
    except Skip as reason:
        print(f"SKIP {case.name}: {reason}")
        return 77
    finally:
        shutil.rmtree(common, ignore_errors=True)


def compare(case, trials):
    print(f"{case.name}: {case.summary}")
    facts = list(dict.fromkeys(fact for trial in trials for fact in trial.seen))
    rows = [("", *[trial.label for trial in trials])]
    rows += [(fact, *[str(trial.seen.get(fact)) for trial in trials]) for fact in facts]
    rows += [("kernel threads at full load", *[str(trial.load) for trial in trials]), ("seconds", *[f"{trial.seconds:.1f}" for trial in trials])]
    for row in rows:
        print(f"  {row[0]:<40}" + "".join(f"{cell[:60]:>20}" for cell in row[1:]))
    different = [fact for fact in facts if len({repr(trial.seen.get(fact)) for trial in trials}) > 1]
    for fact in different:
        print(f"FAIL {case.name}: {fact} differs: " + ", ".join(f"{trial.seen.get(fact)!r} ({trial.label})" for trial in trials))
    if not different:
        print(f"PASS {case.name}")
    return 1 if different else 0
