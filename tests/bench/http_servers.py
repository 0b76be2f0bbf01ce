"""HTTP servers with one answer of 13 bytes, and wrk to ask them."""
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import time

from measure import Failed, Program

NGINX = '''
daemon off; master_process off; pid {directory}/pid; error_log stderr;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000000; default_type text/plain;
  client_body_temp_path {directory}; proxy_temp_path {directory}; fastcgi_temp_path {directory};
  uwsgi_temp_path {directory}; scgi_temp_path {directory};
  server {{ listen 127.0.0.1:{port}; location / {{ return 200 'Hello, world!'; }} }}
}}
'''
HERE = pathlib.Path(__file__).resolve().parent


def free_port():
    with socket.create_server(('127.0.0.1', 0)) as probe:
        return probe.getsockname()[1]


class HttpServer(Program):
    """A server that answers at its port. What it needs is in a directory of its own."""

    def __init__(self, which, programs, cpu):
        self.port = free_port()
        self.directory = tempfile.TemporaryDirectory()
        self.directory_path = pathlib.Path(self.directory.name)
        os.chmod(self.directory_path, 0o755)
        super().__init__(getattr(self, which)(programs), cpu=cpu, name=which)
        try:
            self.wait_for_answer()
        except BaseException:
            self.stop()
            raise

    def nginx(self, _):
        program = shutil.which('nginx', path=os.environ['PATH'] + ':/usr/sbin')
        if not program:
            raise Failed('nginx is not installed')
        configuration = self.directory_path / 'nginx.conf'
        configuration.write_text(NGINX.format(directory=self.directory_path, port=self.port))
        return [program, '-p', self.directory_path, '-c', configuration]

    def go(self, _):
        if not shutil.which('go'):
            raise Failed('Go is not installed')
        program = self.directory_path / 'http_hello'
        environment = dict(os.environ, GOCACHE=str(self.directory_path / 'cache'), GO111MODULE='off')
        subprocess.run(['go', 'build', '-o', program, HERE / 'http_hello.go'], env=environment, check=True)
        return [program, self.port]

    def guv(self, programs):
        return [programs / 'http_hello', self.port]

    def wait_for_answer(self):
        until = time.monotonic() + 10
        while True:
            try:
                with socket.create_connection(('127.0.0.1', self.port), 1) as client:
                    client.sendall(b'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
                    answer = b''.join(iter(lambda: client.recv(4096), b''))
                if not answer.startswith(b'HTTP/1.1 200 ') or not answer.endswith(b'Hello, world!'):
                    raise Failed(f'{self.name}: answered {answer!r}')
                return
            except OSError:
                if time.monotonic() > until or self.process.poll() is not None:
                    raise Failed(f'{self.name}: {self.how_it_ended()}') from None
                time.sleep(0.01)

    def stop(self):
        super().stop()
        self.directory.cleanup()


def ask(server, connections, seconds, cpu):
    """Loads the server by wrk for so many seconds (whole ones): requests, and its CPU time for each in µs."""
    if not shutil.which('wrk'):
        raise Failed('wrk is not installed')
    before = server.cpu_ns()
    with Program(['wrk', '-t1', f'-c{connections}', f'-d{seconds}', f'http://127.0.0.1:{server.port}/'],
                 cpu=cpu) as wrk:
        said = wrk.result(seconds + 30)
    used = server.cpu_ns() - before
    requests = int(re.search(r'(\d+) requests in', said)[1])
    if 'Non-2xx' in said or 'Socket errors' in said or not requests:
        raise Failed(f'{server.name}: {said}')
    return requests, used / 1e3 / requests
