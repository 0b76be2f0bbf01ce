"""guv's TLS, with Python's ssl and curl as clients and with itself. Usage: tls_test.py path/to/tls_server"""
import concurrent.futures
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import unittest

import client
from client import PATIENCE, get


@unittest.skipUnless(shutil.which('openssl'), 'openssl is not installed')
class Tls(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        directory = cls.enterClassContext(tempfile.TemporaryDirectory())
        cls.certificate, key = os.path.join(directory, 'cert.pem'), os.path.join(directory, 'key.pem')
        subprocess.run(['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2',
                        '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-out', cls.certificate, '-keyout', key],
                       check=True, capture_output=True)
        cls.process = subprocess.Popen([client.SERVER, cls.certificate, key], stdout=subprocess.PIPE)
        cls.addClassCleanup(cls.process.stdout.close)
        cls.addClassCleanup(cls.process.wait)
        cls.addClassCleanup(cls.process.terminate)
        cls.port = int(cls.process.stdout.readline().split()[1])
        cls.context = ssl.create_default_context(cafile=cls.certificate)

    def connect(self):
        plain = client.Client(self.port)
        plain.socket = self.context.wrap_socket(plain.socket, server_hostname='localhost')
        return plain

    def ask(self, request):
        with self.connect() as tls:
            tls.send(request)
            return tls.response()

    def test_keep_alive(self):
        with self.connect() as tls:
            for _ in range(10):
                tls.send(get('/hello'))
                self.assertEqual(tls.response().body, b'Hello, https!')

    def test_big_bodies_both_ways(self):
        self.assertEqual(self.ask(get('/big')).body, b'x' * (1 << 21))
        body = os.urandom(1 << 20)
        head = f'POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n'.encode()
        self.assertEqual(self.ask(head + body).body, body)

    def test_many_at_once(self):
        with concurrent.futures.ThreadPoolExecutor(50) as pool:
            answers = list(pool.map(lambda _: self.ask(get('/hello')).body, range(200)))
        self.assertEqual(set(answers), {b'Hello, https!'})

    def test_the_end_is_said(self):
        with self.connect() as tls:
            tls.send(get('/hello', 'Connection: close\r\n'))
            self.assertEqual(tls.response().body, b'Hello, https!')
            self.assertTrue(tls.is_closed())  # ssl.SSLEOFError without a close_notify

    def test_the_client_side(self):
        self.assertEqual(self.ask(get('/fetch')).body, b'Hello, https!')
        self.assertIn(b'certificate verify failed', self.ask(get('/fetch?name=other')).body)

    def test_a_server_that_ends_the_handshake(self):
        close_notify = b'\x15\x03\x03\x00\x02\x01\x00'
        with socket.create_server(('127.0.0.1', 0)) as listener:
            asked = self.connect()
            self.enterContext(asked)
            asked.send(get(f'/fetch?port={listener.getsockname()[1]}'))
            listener.settimeout(PATIENCE)
            with listener.accept()[0] as peer:
                peer.sendall(close_notify)
                self.assertEqual(asked.response().status, 500)

    def test_a_websocket_reads_and_writes_at_once(self):
        import websocket_test
        with self.connect() as tls:
            tls.send(websocket_test.handshake('/ws'))
            self.assertEqual(tls.response().status, 101)
            for size in 1, 100000:
                tls.send(websocket_test.frame(websocket_test.TEXT, b'a' * size))
                self.assertEqual(tls.exactly(size + (2 if size < 126 else 10))[-size:], b'a' * size)

    def test_clients_without_tls_or_patience(self):
        with socket.create_connection(('127.0.0.1', self.port), PATIENCE) as plain:
            plain.sendall(b'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
            try:
                while plain.recv(1000):
                    pass
            except ConnectionResetError:
                pass
        with socket.create_connection(('127.0.0.1', self.port), PATIENCE) as silent:
            self.assertEqual(silent.recv(1), b'')
        self.test_keep_alive()

    @unittest.skipUnless(shutil.which('curl'), 'curl is not installed')
    def test_curl(self):
        command = ['curl', '-sS', '--max-time', str(PATIENCE), '--cacert', self.certificate]
        url = f'https://localhost:{self.port}/hello'
        said = subprocess.run([*command, url, url], check=True, capture_output=True).stdout
        self.assertEqual(said, b'Hello, https!' * 2)


if __name__ == '__main__':
    unittest.main()
