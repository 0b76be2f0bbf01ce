"""Starts, watches and ends the programs that tools/bench and tools/demo measure. Standard library only.

The library under test goes into the environment of the one program under test, never into ours or a shell's. A program
is ended by its own pid, and dies with us should we be killed.
"""
import ctypes
import os
import resource
import select
import signal
import subprocess
import tempfile
import time

_libc = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1


class Failed(Exception):
    """A program under measurement did not do its part; the text says which and how."""


def raise_file_limit():
    """Raises the soft limit of open files, for us and what we start, as far as we need and may; returns it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = max(soft, min(hard, 65536)) if hard != resource.RLIM_INFINITY else max(soft, 65536)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    return limit


def two_cpus():
    """The CPU for the server and the one for its client; the same where we may use only one."""
    cpus = sorted(os.sched_getaffinity(0))
    return cpus[0], cpus[-1] if len(cpus) < 2 else cpus[1]


def busy_ns(cpus):
    """How long these CPUs have been busy, with whatever, since the machine started (to 10 ms)."""
    ticks = 0
    with open('/proc/stat') as lines:
        for line in lines:
            name, *fields = line.split()
            if name in {f'cpu{cpu}' for cpu in cpus}:
                user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, fields[:8])
                ticks += user + nice + system + irq + softirq + steal
    return ticks * 1_000_000_000 // os.sysconf('SC_CLK_TCK')


def environment(preload=None):
    env = dict(os.environ)
    if preload:
        others = env.get('LD_PRELOAD')
        env['LD_PRELOAD'] = f'{preload}:{others}' if others else str(preload)
    return env


class Program:
    """A started program: lines of its output, its CPU time, its memory and its threads."""

    def __init__(self, argv, *, cpu=None, preload=None, env=None, cwd=None, name=None):
        self.name = name or os.path.basename(str(argv[0])) + (' under guv' if preload else '')
        self.errors = tempfile.TemporaryFile()
        parent = os.getpid()

        def prepare():
            _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(1)
            if cpu is not None:
                os.sched_setaffinity(0, {cpu})

        self.process = subprocess.Popen([str(a) for a in argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.errors, env=env or environment(preload), cwd=cwd, bufsize=0,
                                        preexec_fn=prepare)
        self.pid = self.process.pid
        self._unread = b''

    def line(self, seconds):
        """The next line it prints, waiting at most so long."""
        until = time.monotonic() + seconds
        while b'\n' not in self._unread:
            left = until - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                raise Failed(f'{self.name}: no answer within {seconds:.0f} s')
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                raise Failed(f'{self.name}: {self.how_it_ended()}')
            self._unread += data
        line, self._unread = self._unread.split(b'\n', 1)
        return line.decode()

    def tell(self, text):
        try:
            self.process.stdin.write(text.encode() + b'\n')
        except BrokenPipeError:
            raise Failed(f'{self.name}: {self.how_it_ended()}') from None

    def result(self, seconds=60):
        """Waits for its end and returns what it printed."""
        output = b''
        try:
            output = self.process.communicate(timeout=seconds)[0]
        except subprocess.TimeoutExpired:
            self.stop()
            raise Failed(f'{self.name}: not finished after {seconds} s') from None
        if self.process.returncode != 0:
            raise Failed(f'{self.name}: {self.how_it_ended()}')
        if 'cannot be preloaded' in self.complaints():  # ld.so only warns, and the numbers would be native ones
            raise Failed(f'{self.name}: {self.complaints().strip().splitlines()[0]}')
        return (self._unread + output).decode()

    def how_it_ended(self):
        try:
            status = self.process.wait(5)
        except subprocess.TimeoutExpired:
            return 'closed its output'
        how = f'killed by {signal.Signals(-status).name}' if status < 0 else f'exit status {status}'
        said = self.complaints().strip().splitlines()
        return f'{how}: {said[-1]}' if said else how

    def complaints(self):
        """What it wrote to stderr so far (the last 64 KiB)."""
        size = os.fstat(self.errors.fileno()).st_size
        return os.pread(self.errors.fileno(), 65536, max(0, size - 65536)).decode(errors='replace')

    def all_complaints(self):
        """Every line it wrote to stderr."""
        with open(f'/proc/self/fd/{self.errors.fileno()}', errors='replace') as lines:
            yield from lines

    def cpu_ns(self):
        """CPU time of the whole process, with the threads that ended, to the nanosecond: clock_getcpuclockid(3)."""
        try:
            return time.clock_gettime_ns((~self.pid << 3) | 2)
        except OSError:
            raise Failed(f'{self.name}: {self.how_it_ended()}') from None

    def status(self):
        """Threads and, in bytes, rss, page_tables and pss."""
        found = {}
        try:
            with open(f'/proc/{self.pid}/status') as lines:
                fields = dict(line.split(':', 1) for line in lines)
            found['threads'] = int(fields['Threads'])
            found['rss'] = int(fields['VmRSS'].split()[0]) * 1024
            found['page_tables'] = int(fields['VmPTE'].split()[0]) * 1024
            with open(f'/proc/{self.pid}/smaps_rollup') as lines:
                found['pss'] = next(int(line.split()[1]) * 1024 for line in lines if line.startswith('Pss:'))
        except (OSError, KeyError, StopIteration):
            if 'rss' not in found:
                raise Failed(f'{self.name}: {self.how_it_ended()}') from None
            found['pss'] = found['rss']
        return found

    def has_mapped(self, library):
        name = os.path.basename(str(library))
        try:
            with open(f'/proc/{self.pid}/maps') as lines:
                return any(os.path.basename(line.rstrip('\n').split(None, 5)[-1]) == name for line in lines)
        except OSError:
            return False

    def alive(self):
        return self.process.poll() is None

    def stop(self):
        """Ends it: asks by SIGTERM, insists by SIGKILL."""
        if self.alive():
            self.process.terminate()
            try:
                self.process.wait(3)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.errors):
            try:
                pipe.close()
            except OSError:
                pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def fields(line):
    """{'rps': 12.0, …} of a line such as "done rps=12"."""
    pairs = (word.split('=', 1) for word in line.split() if '=' in word)
    return {name: float(value) for name, value in pairs}


class EchoServer(Program):
    """A server that has printed "listening PORT"; with a library, one that has really loaded it."""

    def __init__(self, argv, **keywords):
        super().__init__(argv, **keywords)
        try:
            word, port = self.line(10).split()
            if word != 'listening':
                raise Failed(f'{self.name}: said "{word}", not "listening"')
            self.port = int(port)
            library = keywords.get('preload')
            if library and not self.has_mapped(library):
                raise Failed(f'{self.name}: {library} was not loaded')
        except BaseException:
            self.stop()
            raise


class EchoClient(Program):
    """echo_client with all its connections served once."""

    def __init__(self, binary, port, connections, *, cpu=None):
        super().__init__([binary, '--port', port, '--connections', connections, '--control'], cpu=cpu)
        try:
            ready = fields(self.line(60))
            self.connections, self.failed = int(ready['connections']), int(ready['errors'])
            self.connect_seconds = ready['seconds']
        except BaseException:
            self.stop()
            raise

    def run(self, seconds):
        """Loads the server for so long: requests, seconds, rps, p50_us, p99_us, max_us, errors."""
        self.tell(f'run {seconds}')
        return fields(self.line(seconds + 60))
