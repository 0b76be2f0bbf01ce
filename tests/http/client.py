"""Starts tests/http/server.cpp and talks to it in bytes. Standard library only."""
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import unittest

SERVER = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else None
PATIENCE = 200  # seconds, nearly those of the whole test: on a busy machine everything takes a while


class Server:
    """The server, with its options as keywords."""

    def __init__(self, **options):
        self.errors = tempfile.TemporaryFile()
        arguments = [f'{name}={value}' for name, value in options.items()]
        # Unbuffered: whoever waits for a line with select must not have it in a buffer.
        self.process = subprocess.Popen([SERVER, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.errors, bufsize=0)
        word, port = self.process.stdout.readline().split()
        assert word == b'listening', word
        self.port = int(port)

    def release(self):
        """Has a request for /held answered."""
        self.process.stdin.write(b'\n')

    def stop(self):
        """Ends it gracefully; returns its exit status and what it printed since the beginning."""
        self.process.terminate()
        out, _ = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, out.decode()

    def complaints(self):
        self.errors.seek(0)
        return self.errors.read().decode()

    def connect(self):
        return Client(self.port)

    def ask(self, request):
        """The response to one request on a connection of its own."""
        with self.connect() as client:
            client.send(request)
            return client.response()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        """Ends it, which must go well whatever has come: sanitizers say what they found in its status."""
        try:
            status, _ = self.stop()
            if 'LeakSanitizer has encountered a fatal error' in self.complaints():
                raise unittest.SkipTest('LeakSanitizer cannot work here: it needs ptrace(2)')
            assert status == 0 or kind, f'ended with {status}: {self.complaints()}'
        finally:
            self.process.kill()
            self.process.wait()
            self.process.stdin.close()
            self.process.stdout.close()
            self.errors.close()


class Response:
    def __init__(self, status, head, fields, body):
        self.status, self.head, self.fields, self.body = status, head, fields, body

    def __getitem__(self, name):
        return dict(self.fields).get(name.lower())


class Client:
    """A connection to the server."""

    def __init__(self, port):
        self.socket = socket.create_connection(('127.0.0.1', port), PATIENCE)
        self.buffer = b''

    def send(self, data):
        self.socket.sendall(data.encode('latin-1') if isinstance(data, str) else data)

    def send_and_see_read(self, data):
        """Sends, and waits until the server has read all of it."""
        self.send(data)
        here, there = (f':{address[1]:04X}' for address in (self.socket.getsockname(), self.socket.getpeername()))
        self.wait_for_queue(here, there, 0)
        self.wait_for_queue(there, here, 1)

    def wait_for_queue(self, local, remote, which):
        """Waits until a socket's queue of what is to be sent (0) or read (1) is empty."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            with open('/proc/net/tcp') as file:
                rows = [line.split() for line in file]
            if any(row[1].endswith(local) and row[2].endswith(remote) and int(row[4].split(':')[which], 16) == 0
                   for row in rows):
                return
            time.sleep(0.01)
        raise TimeoutError('the server does not read')

    def receive(self):
        data = self.socket.recv(65536)
        self.buffer += data
        return data

    def until(self, mark):
        while mark not in self.buffer:
            if not self.receive():
                raise EOFError(f'the server closed after {self.buffer!r}')
        found, self.buffer = self.buffer.split(mark, 1)
        return found

    def exactly(self, size):
        while len(self.buffer) < size:
            if not self.receive():
                raise EOFError(f'the server closed after {len(self.buffer)} of {size} bytes')
        found, self.buffer = self.buffer[:size], self.buffer[size:]
        return found

    def to_the_end(self):
        while self.receive():
            pass
        found, self.buffer = self.buffer, b''
        return found

    def chunks(self):
        body = b''
        while size := int(self.until(b'\r\n'), 16):
            body += self.exactly(size)
            assert self.exactly(2) == b'\r\n'
        assert self.until(b'\r\n') == b''
        return body

    def response(self, to_head=False):
        head = self.until(b'\r\n\r\n').decode('latin-1')
        line, *lines = head.split('\r\n')
        match = re.fullmatch(r'HTTP/1\.1 (\d\d\d) [A-Za-z ]+', line)
        assert match, line
        status = int(match[1])
        fields = [(name.lower(), value) for name, value in (one.split(': ', 1) for one in lines)]
        known = dict(fields)
        body = b''
        if to_head or status in (204, 304) or status < 200:
            pass
        elif 'content-length' in known:
            body = self.exactly(int(known['content-length']))
        elif known.get('transfer-encoding') == 'chunked':
            body = self.chunks()
        else:
            body = self.to_the_end()
        return Response(status, head, fields, body)

    def is_closed(self):
        """Waits for the server's end of the connection; False when it says something more."""
        return self.buffer == b'' and self.receive() == b''

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


class TestCase(unittest.TestCase):
    """With a server that all tests of the class share; OPTIONS are its options."""

    OPTIONS = {}

    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Server(**cls.OPTIONS))


def get(path, fields='', version='1.1'):
    return f'GET {path} HTTP/{version}\r\nHost: localhost\r\n{fields}\r\n'
