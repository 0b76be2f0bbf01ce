"""What libguv_http promises to well-behaved clients. Usage: http_test.py path/to/http_server"""
import re
import shutil
import socket
import subprocess
import time
import unittest

from client import PATIENCE, Server, TestCase, get


class Responses(TestCase):
    def test_a_string(self):
        response = self.server.ask(get('/hello'))
        self.assertEqual((response.status, response.body), (200, b'Hello, world!'))
        self.assertEqual(response['Content-Type'], 'text/plain; charset=utf-8')
        self.assertEqual(response['Content-Length'], '13')
        self.assertRegex(response['Date'], r'^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$')
        self.assertIsNone(response['Connection'])

    def test_status_and_fields(self):
        response = self.server.ask(get('/created'))
        self.assertEqual((response.status, response.body), (201, b'made\n'))
        self.assertEqual((response['Location'], response['Content-Type']), ('/made', 'text/x-made'))

    def test_fields_added_twice(self):
        fields = self.server.ask(get('/cookies')).fields
        self.assertEqual([value for name, value in fields if name == 'set-cookie'], ['a=1', 'b=2'])

    def test_no_content(self):
        response = self.server.ask(get('/none'))
        self.assertEqual((response.status, response['Content-Length'], response['Content-Type']), (204, None, None))

    def test_a_generator_sends_chunks(self):
        response = self.server.ask(get('/count'))
        self.assertEqual(response['Transfer-Encoding'], 'chunked')
        self.assertEqual(response.body, b'0\n1\n2\n3\n4\n')

    def test_a_generator_ends_with_the_connection_in_http_1_0(self):
        response = self.server.ask(get('/count', version='1.0', fields='Connection: keep-alive\r\n'))
        self.assertEqual((response['Transfer-Encoding'], response['Connection']), (None, 'close'))
        self.assertEqual(response.body, b'0\n1\n2\n3\n4\n')

    def test_a_stream_with_a_length(self):
        response = self.server.ask(get('/exact'))
        self.assertEqual((response['Content-Length'], response['Transfer-Encoding']), ('5', None))
        self.assertEqual(response.body, b'12345')

    def test_head_has_the_fields_and_no_body(self):
        for path in '/hello', '/exact', '/count':
            with self.server.connect() as client:
                client.send(get(path).replace('GET', 'HEAD') + get('/none'))
                head = client.response(to_head=True)
                self.assertEqual(client.response().status, 204)
            fields = self.server.ask(get(path)).fields
            self.assertEqual([name for name, _ in head.fields], [name for name, _ in fields])

    def test_a_big_body_to_a_slow_reader(self):
        with self.server.connect() as client:
            client.send(get('/big'))
            for _ in range(20):
                client.receive()
                time.sleep(0.001)
            self.assertEqual(client.response().body, b'x' * (1 << 24))

    def test_line_ends_cannot_be_smuggled_into_fields(self):
        response = self.server.ask(get('/split'))
        self.assertEqual((response.status, response['Set-Cookie']), (500, None))


class Failures(TestCase):
    def test_what_the_application_throws_is_answered_500_and_logged(self):
        for path in '/throw', '/throw-other', '/broken-at-once':
            with self.server.connect() as client:
                client.send(get(path) + get('/hello'))
                self.assertEqual(client.response().status, 500)
                self.assertEqual(client.response().body, b'Hello, world!')
        self.assertIn('the application threw: thrown on purpose\n', self.server.complaints())
        self.assertIn('the application threw something that is no std::exception\n', self.server.complaints())

    def test_a_broken_stream_is_no_whole_one(self):
        for path in '/broken', '/short':
            with self.assertRaises((EOFError, ConnectionResetError)):
                self.server.ask(get(path))

    def test_a_client_that_leaves_does_not_matter(self):
        with self.server.connect() as client:
            client.send(get('/big'))
            client.socket.recv(100)
        self.assertEqual(self.server.ask(get('/hello')).status, 200)
        self.assertNotIn('Broken pipe', self.server.complaints())


class Bodies(TestCase):
    def post(self, path, body, fields=''):
        return f'POST {path} HTTP/1.1\r\nHost: localhost\r\n{fields}Content-Length: {len(body)}\r\n\r\n'.encode() + body

    def test_with_a_length(self):
        for size in 0, 1, 4095, 65536, 1 << 20:
            self.assertEqual(self.server.ask(self.post('/echo', b'a' * size)).body, b'a' * size)

    def test_in_chunks(self):
        body = b'5;name="a;b"\r\nHello\r\n' + b'1\r\n \r\n' + b'00a\r\n' + b'0123456789\r\n0\r\nTrailer: x\r\n\r\n'
        head = b'POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: Chunked\r\n\r\n'
        self.assertEqual(self.server.ask(head + body).body, b'Hello 0123456789')

    def test_byte_by_byte(self):
        request = (b'POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n'
                   b'5\r\nHello\r\n0\r\n\r\n' + get('/hello').encode())
        with self.server.connect() as client:
            client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in request:
                client.send(bytes([byte]))
            self.assertEqual(client.response().body, b'Hello')
            self.assertEqual(client.response().body, b'Hello, world!')

    def test_lines(self):
        self.assertEqual(self.server.ask(self.post('/lines', b'one\n\nthree')).body, b'[one\n][\n][three]')

    def test_unread_bodies_are_dropped(self):
        with self.server.connect() as client:
            client.send(self.post('/ignore', b'x' * 10000) + get('/hello').encode())
            self.assertEqual(client.response().body, b'ignored\n')
            self.assertEqual(client.response().body, b'Hello, world!')

    def test_long_unread_bodies_end_the_connection_but_not_the_response(self):
        with self.server.connect() as client:
            client.send(self.post('/ignore', b'x' * (1 << 20)))
            self.assertEqual(client.response().body, b'ignored\n')
            self.assertTrue(client.is_closed())

    def test_continue_is_sent_when_the_body_is_wanted(self):
        request = self.post('/echo', b'Hello', 'Expect: 100-continue\r\n')
        with self.server.connect() as client:
            client.send(request[:-5])
            self.assertEqual(client.response().status, 100)
            client.send(b'Hello')
            self.assertEqual(client.response().body, b'Hello')

    def test_continue_is_not_sent_when_it_is_not(self):
        with self.server.connect() as client:
            client.send(self.post('/ignore', b'Hello', 'Expect: 100-continue\r\n')[:-5])
            response = client.response()
            self.assertEqual((response.status, response['Connection']), (200, 'close'))
            self.assertTrue(client.is_closed())


class Connections(TestCase):
    def test_keep_alive_and_pipelining(self):
        with self.server.connect() as client:
            client.send(''.join(get(f'/parameter?name={n}') for n in range(1000)))
            for n in range(1000):
                self.assertEqual(client.response().body, str(n).encode())

    def test_close_is_honoured(self):
        for request in get('/hello', 'Connection: close\r\n'), get('/hello', version='1.0'), get('/close'):
            with self.server.connect() as client:
                client.send(request)
                self.assertEqual(client.response()['Connection'], 'close')
                self.assertTrue(client.is_closed())

    def test_http_1_0_with_keep_alive(self):
        with self.server.connect() as client:
            for _ in range(2):
                client.send(get('/hello', 'Connection: Keep-Alive\r\n', '1.0'))
                self.assertEqual(client.response()['Connection'], 'keep-alive')

    def test_empty_lines_before_a_request(self):
        with self.server.connect() as client:
            client.send('\r\n\r\n' + get('/hello') + '\r\n' + get('/hello'))
            self.assertEqual([client.response().status for _ in range(2)], [200, 200])
            client.send_and_see_read('\r')
            client.send('\n' + get('/hello'))
            self.assertEqual(client.response().status, 200)
            client.send('\r\n' * 20000 + get('/hello', 'X-A: ' + 'a' * 32000 + '\r\n'))
            self.assertEqual(client.response().status, 200)

    def test_slow_applications_do_not_hold_up_others(self):
        with self.server.connect() as slow:
            slow.send_and_see_read(get('/held'))
            self.assertEqual(self.server.ask(get('/hello')).body, b'Hello, world!')
            self.server.release()
            self.assertEqual(slow.response().body, b'held\n')

    def test_more_clients_than_connections_wait(self):
        with Server(max_connections=2) as server:
            clients = [server.connect() for _ in range(6)]
            for client in clients:
                client.send(get('/hello', 'Connection: close\r\n'))
            for client in clients:
                self.assertEqual(client.response().status, 200)
                self.assertTrue(client.is_closed())
                client.socket.close()


class Environ(TestCase):
    def environ(self, request):
        body = self.server.ask(request).body.decode('latin-1')
        return dict(line.split('=', 1) for line in body.splitlines())

    def test_variables(self):
        variables = self.environ('GET /environ?a=%20b HTTP/1.1\r\nHost: h\r\nContent-Type: t/x\r\nContent-Length: 0\r\n'
                                 'X-Two: 1\r\nx-two: 2\r\nX_Two: no\r\nContent_Length: 7\r\n\r\n')
        expected = {'REQUEST_METHOD': 'GET', 'PATH_INFO': '/environ', 'QUERY_STRING': 'a=%20b',
                    'SERVER_NAME': '127.0.0.1', 'SERVER_PORT': str(self.server.port), 'SERVER_PROTOCOL': 'HTTP/1.1',
                    'REMOTE_ADDR': '127.0.0.1',
                    'REQUEST_SCHEME': 'http', 'CONTENT_TYPE': 't/x', 'CONTENT_LENGTH': '0', 'HTTP_HOST': 'h',
                    'HTTP_X_TWO': '1,2'}
        self.assertEqual({name: variables[name] for name in expected}, expected)
        self.assertNotIn('HTTP_CONTENT_LENGTH', variables)

    def test_paths_are_decoded(self):
        for target, path in (('/a%20b', '/a b'), ('/a+b', '/a+b'), ('/%zz%4', '/%zz%4'), ('/%2e%2E/', '/../'),
                             ('http://other/there?x', '/there'), ('http://other', '/'), ('https://other?x=/y', '/')):
            self.assertEqual(self.server.ask(get(target)).body.decode(), f'no {path}\n')

    def test_parameters(self):
        for query, value in (('name=a+b%26', 'a b&'), ('x=1&name=2&name=3', '2'), ('name', ''), ('named=1', '(none)')):
            self.assertEqual(self.server.ask(get('/parameter?' + query)).body.decode(), value)


class Log(unittest.TestCase):
    def test_combined_format(self):
        with Server(access_log=1) as server:
            server.ask(get('/hello?"x', 'User-Agent: agent "\\\t\xe9\r\nReferer: http://from/\r\n'))
            server.ask('nonsense\r\n\r\n')
            status, out = server.stop()
        self.assertEqual(status, 0)
        first, second, last = out.splitlines()
        time = r'\[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000\]'
        self.assertRegex(first, r'^127\.0\.0\.1 - - ' + time + re.escape(
            r' "GET /hello?\x22x HTTP/1.1" 200 13 "http://from/" "agent \x22\x5C\x09\xE9"') + '$')
        self.assertRegex(second, r'^127\.0\.0\.1 - - ' + time + r' "-" 400 16 "-" "-"$')
        self.assertEqual(last, 'stopped with 0 connections')


@unittest.skipUnless(shutil.which('curl'), 'curl is not installed')
class Curl(TestCase):
    def curl(self, path, *arguments, **keywords):
        command = ['curl', '-sS', '--max-time', str(PATIENCE), *arguments, f'http://127.0.0.1:{self.server.port}{path}']
        return subprocess.run(command, check=True, capture_output=True, **keywords).stdout

    def test_get_and_head(self):
        self.assertEqual(self.curl('/hello'), b'Hello, world!')
        self.assertIn(b'Content-Length: 13', self.curl('/hello', '-I'))

    def test_upload_in_chunks_with_continue(self):
        data = b'line\n' * 20000
        for fields in ((), ('-H', 'Transfer-Encoding: chunked'), ('-H', 'Expect: 100-continue')):
            self.assertEqual(self.curl('/echo', '--data-binary', '@-', *fields, input=data), data)

    def test_many_at_once(self):
        paths = [f'http://127.0.0.1:{self.server.port}/parameter?name={n}' for n in range(50)]
        self.assertEqual(len(self.curl('/hello', '--parallel', *paths)), sum(len(str(n)) for n in range(50)) + 13)


if __name__ == '__main__':
    unittest.main()
