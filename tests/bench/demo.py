"""The main job, shown: two unmodified thread-per-connection servers, natively and under guv-run, side by side.

Each holds all connections at once; then every connection sends requests in a closed loop. The server has one CPU, its
clients another. Started by tools/demo, which builds what is needed.
"""
import argparse
import os
import pathlib
import resource
import signal
import sys
import tempfile

sys.dont_write_bytecode = True
from http_load import HttpLoad  # noqa: E402
from measure import EchoClient, Failed, Program, environment, raise_file_limit, two_cpus  # noqa: E402

KERNEL_STACK = 16 * 1024  # THREAD_SIZE of x86-64 and arm64
MIB = 1024 * 1024


def parse_arguments():
    parser = argparse.ArgumentParser(prog='tools/demo', description=__doc__)
    parser.add_argument('--connections', type=int, default=5000, metavar='N', help='held at once (default: 5000)')
    parser.add_argument('--seconds', type=float, default=4, metavar='S', help='of load on each server (default: 4)')
    parser.add_argument('--build', type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument('--programs', type=pathlib.Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.programs = options.programs or options.build / 'tests' / 'bench'
    return options


def progress(text):
    print(text, file=sys.stderr, flush=True)


def read_number(path):
    try:
        text = pathlib.Path(path).read_text().strip()
        return int(text) if text.isdigit() else None
    except OSError:
        return None


def thread_limits():
    """What can stop a program from having more kernel threads here, smallest first."""
    processes = resource.getrlimit(resource.RLIMIT_NPROC)[0]
    mappings = read_number('/proc/sys/vm/max_map_count')
    limits = [(processes if processes != resource.RLIM_INFINITY and os.geteuid() else None, 'ulimit -u'),
              (read_number('/proc/sys/kernel/threads-max'), 'kernel.threads-max'),
              (read_number('/proc/sys/kernel/pid_max'), 'kernel.pid_max'),
              (mappings and mappings // 2, 'vm.max_map_count, two mappings a thread')]
    for line in pathlib.Path('/proc/self/cgroup').read_text().splitlines():
        _, controllers, group = line.split(':', 2)
        mount = '/sys/fs/cgroup/pids' if 'pids' in controllers else '/sys/fs/cgroup' if not controllers else None
        for place in {group, '/'} if mount else ():
            limits.append((read_number(f'{mount}{place}/pids.max'), 'pids.max of the control group'))
    return sorted({limit for limit in limits if limit[0]})


class Http:
    title = 'python3 -m http.server'

    def __init__(self, options):
        self.options = options
        self.folder = tempfile.TemporaryDirectory(prefix='guv-demo-')
        self.body = b'<!doctype html><title>guv</title><p>One green thread served this.\n'
        (pathlib.Path(self.folder.name) / 'index.html').write_bytes(self.body)

    # HTTP/1.1 keeps connections open, which is what holds a thread each; -u shows the port at once.
    def command(self):
        return ['/usr/bin/python3', '-u', '-m', 'http.server', '--protocol', 'HTTP/1.1', '--bind', '127.0.0.1',
                '--directory', self.folder.name, '0']

    @staticmethod
    def port(line):  # Serving HTTP on 127.0.0.1 port 40001 (http://127.0.0.1:40001/) ...
        return int(line.split(' port ')[1].split()[0])

    def connect(self, port, _cpu):
        self.load = HttpLoad(port, self.body)
        return self.load.open(self.options.connections, at_once=4, seconds=90)

    def run(self):
        answers, elapsed, latencies = self.load.run(self.options.seconds)
        percentile = latencies[int(0.99 * (len(latencies) - 1))] * 1e3 if latencies else None
        return answers, elapsed, percentile

    def errors(self):
        return dict(self.load.errors)

    def disconnect(self):
        self.load.close()


class Echo:
    title = 'C echo server'

    def __init__(self, options):
        self.options = options

    def command(self):
        return [self.options.programs / 'echo_server']

    @staticmethod
    def port(line):
        return int(line.split()[1])

    def connect(self, port, cpu):
        self.failed = {}
        self.client = EchoClient(self.options.programs / 'echo_client', port, self.options.connections, cpu=cpu)
        if self.client.failed:
            self.failed['not served'] = self.client.failed
        return self.client.connections

    def run(self):
        done = self.client.run(self.options.seconds)
        if done['errors']:
            self.failed['requests'] = int(done['errors'])
        return int(done['requests']), done['seconds'], done['p99_us'] / 1e3

    def errors(self):
        return self.failed

    def disconnect(self):
        self.client.stop()


class Demo:
    def __init__(self, options):
        self.options = options
        self.server_cpu, self.client_cpu = two_cpus()
        self.notes = []
        self.guv_run = options.build / 'tools' / 'guv-run'
        self.library = options.build / 'libguv_preload' / 'libguv.so'

    def note(self, text):
        if text in self.notes:
            return
        self.notes.append(text)
        progress(f'note: {text}')

    def allow_files(self):
        """Room for all connections on either side, or fewer connections."""
        wanted = self.options.connections + 200
        limit = raise_file_limit()
        if limit < wanted:
            try:
                hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
                resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(hard, wanted)))
                return
            except (ValueError, OSError):
                self.options.connections = limit - 200
                self.note(f'only {limit:,} open files are allowed (ulimit -Hn): {self.options.connections:,} connections '
                          f'instead')
        if self.options.connections < 1:
            raise Failed('too few open files are allowed to hold any connection')

    def start(self, service, under_guv):
        command, preload = service.command(), None
        if under_guv:
            if self.guv_run.exists():
                command = [self.guv_run, '--', *command]
            else:
                self.note(f'{self.guv_run} does not exist: preloading libguv.so directly')
                preload = self.library
        return Program(command, cpu=self.server_cpu, env=environment(preload), cwd='/',
                       name=service.title + (' under guv' if under_guv else ''))

    def measure(self, service, under_guv):
        wanted = self.options.connections
        who = 'under guv-run' if under_guv else 'natively'
        progress(f'{service.title}, {who}: opening {wanted:,} connections …')
        result = {}
        with self.start(service, under_guv) as server:
            port = service.port(server.line(20))
            if under_guv and not server.has_mapped(self.library):
                raise Failed(f'{server.name}: libguv.so is not in the process')
            before = server.status()
            result['held'] = service.connect(port, self.client_cpu)
            try:
                if result['held'] < wanted:
                    self.explain(service, who, server, result['held'], service.errors())
                held = server.status()
                result['threads'] = held['threads']
                if under_guv and held['threads'] > 16 + result['held'] // 10:
                    self.note(f'{server.name}: its threads are still kernel threads')
                    result['failed'] = True
                result['pss'], result['tables'] = held['pss'], held['page_tables']
                result['stacks'] = held['threads'] * KERNEL_STACK
                result['memory'] = held['pss'] + held['page_tables'] + result['stacks']
                grown = result['memory'] - before['pss'] - before['page_tables'] - before['threads'] * KERNEL_STACK
                result['each'] = grown / result['held'] if result['held'] else None
                if result['held']:
                    progress(f'{service.title}, {who}: {held["threads"]:,} kernel threads; {self.options.seconds:g} s of '
                             f'requests on all connections …')
                    used = server.cpu_ns()
                    answers, elapsed, result['p99'] = service.run()
                    used = server.cpu_ns() - used
                    result['rate'] = answers / elapsed
                    result['cpu'] = used / 1e3 / answers if answers else None
                result['errors'] = sum(service.errors().values())
                if result['errors'] and result['held'] == wanted:
                    self.note(f'{service.title}, {who}: ' + ', '.join(f'{n:,} × {text}' for text, n in service.errors().items()))
            finally:
                service.disconnect()
        return result

    def explain(self, service, who, server, held, errors):
        said = [line for line in server.all_complaints() if "can't start new thread" in line or 'pthread_create' in line]
        text = f'{service.title}, {who}, served only {held:,} of {self.options.connections:,} connections'
        if said:
            text += f': "{said[0].strip()}"; limits on threads here: ' + ', '.join(
                f'{name} = {value:,}' for value, name in thread_limits()[:3])
        elif not server.alive():
            text += f': the server ended, {server.how_it_ended()}'
        elif errors:
            text += ': ' + ', '.join(f'{n:,} × {text}' for text, n in errors.items())
        self.note(text)

    def run(self):
        self.allow_files()
        os.sched_setaffinity(0, {self.client_cpu})  # the HTTP client runs here
        columns = []
        for service in (Http(self.options), Echo(self.options)):
            for under_guv in (False, True):
                try:
                    if under_guv and not self.library.exists():
                        raise Failed(f'{self.library} is not built yet')
                    result = self.measure(service, under_guv)
                except Failed as error:
                    self.note(str(error))
                    result = {'failed': True}
                columns.append((service.title, 'guv-run' if under_guv else 'native', result))
        self.table(columns)
        return 1 if any('failed' in result or result.get('errors') for _, kind, result in columns if kind != 'native') else 0

    def table(self, columns):
        def shown(result, key, digits=0, unit=1):
            value = result.get(key)
            return '–' if value is None else f'{value / unit:,.{digits}f}'

        lines = [('connections held at once', 'held', 0, 1),
                 ('kernel threads', 'threads', 0, 1),
                 ('memory, MiB', 'memory', 1, MIB),
                 ('    of the process (PSS)', 'pss', 1, MIB),
                 ('    page tables', 'tables', 1, MIB),
                 ('    kernel stacks, 16 KiB each', 'stacks', 1, MIB),
                 ('memory per connection, KiB', 'each', 1, 1024),
                 ('requests/s', 'rate', 0, 1),
                 ('CPU per request, µs', 'cpu', 1, 1),
                 ('latency p99, ms', 'p99', 1, 1),
                 ('errors', 'errors', 0, 1)]
        label = max(len(line[0]) for line in lines)
        width = 12
        bold, plain = ('\033[1m', '\033[0m') if sys.stdout.isatty() and 'NO_COLOR' not in os.environ else ('', '')
        print()
        print(bold + ' ' * label + ''.join(title.rjust(2 * width) for title, kind, _ in columns if kind == 'native') + plain)
        print(bold + ' ' * label + ''.join(kind.rjust(width) for _, kind, _ in columns) + plain)
        print('─' * (label + width * len(columns)))
        for text, key, digits, unit in lines:
            print(text.ljust(label) + ''.join(shown(result, key, digits, unit).rjust(width) for _, _, result in columns))
        print()
        print(f'One unmodified program per pair of columns, a thread per connection; server on CPU {self.server_cpu}, '
              f'client on CPU {self.client_cpu}.')
        for note in self.notes:
            print(f'note: {note}')


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        return Demo(parse_arguments()).run()
    except Failed as error:
        print(f'tools/demo: {error}', file=sys.stderr)
    except KeyboardInterrupt:
        print('tools/demo: interrupted', file=sys.stderr)
    return 1


if __name__ == '__main__':
    sys.exit(main())
