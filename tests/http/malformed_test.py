"""What libguv_http answers to requests that are wrong, and to clients that mean harm.
Usage: malformed_test.py path/to/http_server"""
import time
import unittest

from client import PATIENCE, Server, TestCase, get

HOST = 'Host: localhost\r\n'


def post(fields, body=''):
    return f'POST /echo HTTP/1.1\r\n{HOST}{fields}\r\n{body}'


CHUNKED = 'Transfer-Encoding: chunked\r\n'

# name: (status, request). What could be read as two requests, or as another one, ends with the connection.
REQUESTS = {
    # request lines
    'no HTTP': (400, 'SSH-2.0-OpenSSH_9\r\n\r\n'),
    'HTTP/0.9': (400, 'GET /hello\r\n\r\n'),
    'HTTP/2.0': (505, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
    'HTTP/1.2': (505, f'GET /hello HTTP/1.2\r\n{HOST}\r\n'),
    'HTTP/1.1x': (400, f'GET /hello HTTP/1.1x\r\n{HOST}\r\n'),
    'http/1.1': (400, f'GET /hello http/1.1\r\n{HOST}\r\n'),
    'two spaces': (400, f'GET  /hello HTTP/1.1\r\n{HOST}\r\n'),
    'a tab': (400, f'GET\t/hello HTTP/1.1\r\n{HOST}\r\n'),
    'a space in the target': (400, f'GET /a b HTTP/1.1\r\n{HOST}\r\n'),
    'a null in the target': (400, f'GET /a\0b HTTP/1.1\r\n{HOST}\r\n'),
    'no slash': (400, f'GET hello HTTP/1.1\r\n{HOST}\r\n'),
    'no method': (400, f' /hello HTTP/1.1\r\n{HOST}\r\n'),
    'a method that is no token': (400, f'G<T /hello HTTP/1.1\r\n{HOST}\r\n'),
    'CONNECT': (501, f'CONNECT localhost:80 HTTP/1.1\r\n{HOST}\r\n'),
    '* of GET': (400, f'GET * HTTP/1.1\r\n{HOST}\r\n'),
    'a bare LF after the request line': (400, f'GET /hello HTTP/1.1\n{HOST}\r\n'),
    'bare LFs only': (400, 'GET /hello HTTP/1.1\nHost: localhost\n\n'),
    'TLS': (400, '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'),
    # fields
    'no Host': (400, 'GET /hello HTTP/1.1\r\n\r\n'),
    'two Hosts': (400, f'GET /hello HTTP/1.1\r\n{HOST}{HOST}\r\n'),
    'a space before the colon': (400, get('/hello', 'X-A : b\r\n')),
    'a space before the first field': (400, f'GET /hello HTTP/1.1\r\n X-A: b\r\n{HOST}\r\n'),
    'no colon': (400, get('/hello', 'X-A\r\n')),
    'no name': (400, get('/hello', ': b\r\n')),
    'a folded value': (400, get('/hello', 'X-A: b\r\n c\r\n')),
    'a folded empty value': (400, get('/hello', 'X-A:\r\n c\r\n')),
    'a value folded to nothing': (400, get('/hello', 'X-A:\r\n \r\n')),
    'a null in a value': (400, get('/hello', 'X-A: b\0c\r\n')),
    'a bare CR in a value': (400, get('/hello', 'X-A: b\rc\r\n')),
    'a bare LF in a value': (400, get('/hello', 'X-A: b\nX-B: c\r\n')),
    'a bare LF at the end of the head': (400, f'GET /hello HTTP/1.1\r\n{HOST}\n'),
    'an unknown expectation': (417, get('/hello', 'Expect: a-pony\r\n')),
    # lengths
    'length and coding': (400, post('Content-Length: 5\r\n' + CHUNKED, '0\r\n\r\n')),
    'coding and length': (400, post(CHUNKED + 'Content-Length: 5\r\n', '0\r\n\r\n')),
    'two lengths': (400, post('Content-Length: 5\r\nContent-Length: 6\r\n', 'Hello')),
    'the same length twice': (400, post('Content-Length: 5\r\nContent-Length: 5\r\n', 'Hello')),
    'a list of lengths': (400, post('Content-Length: 5, 5\r\n', 'Hello')),
    'a negative length': (400, post('Content-Length: -5\r\n', 'Hello')),
    'a length with a plus': (400, post('Content-Length: +5\r\n', 'Hello')),
    'a length in hexadecimal': (400, post('Content-Length: 0x5\r\n', 'Hello')),
    'a length of two words': (400, post('Content-Length: 5 5\r\n', 'Hello')),
    'an empty length': (400, post('Content-Length:\r\n', 'Hello')),
    'a length of 2**64': (400, post('Content-Length: 18446744073709551616\r\n', 'Hello')),
    'a length that is too long': (413, post('Content-Length: 1048577\r\n', 'Hello')),
    # codings
    'an unknown coding': (501, post('Transfer-Encoding: gzip\r\n', '0\r\n\r\n')),
    'two codings': (501, post('Transfer-Encoding: gzip, chunked\r\n', '0\r\n\r\n')),
    'chunked is not the last': (501, post('Transfer-Encoding: chunked, identity\r\n', '0\r\n\r\n')),
    'almost chunked': (501, post('Transfer-Encoding: xchunked\r\n', '0\r\n\r\n')),
    'quoted chunked': (501, post('Transfer-Encoding: "chunked"\r\n', '0\r\n\r\n')),
    'chunked with a vertical tab': (400, post('Transfer-Encoding: \x0bchunked\r\n', '0\r\n\r\n')),
    'chunked twice': (400, post(CHUNKED + CHUNKED, '0\r\n\r\n')),
    'a coding before chunked': (501, post('Transfer-Encoding: identity\r\n' + CHUNKED, '0\r\n\r\n')),
    'a coding with a space before the colon': (400, post('Transfer-Encoding : chunked\r\n', '0\r\n\r\n')),
    'a coding in HTTP/1.0': (400, f'POST /echo HTTP/1.0\r\n{CHUNKED}\r\n0\r\n\r\n'),
    # chunks
    'no size': (400, post(CHUNKED, '\r\nHello\r\n0\r\n\r\n')),
    'a size that is no number': (400, post(CHUNKED, 'x\r\nHello\r\n0\r\n\r\n')),
    'a negative size': (400, post(CHUNKED, '-1\r\nHello\r\n0\r\n\r\n')),
    'a size with 0x': (400, post(CHUNKED, '0x5\r\nHello\r\n0\r\n\r\n')),
    'a size of 2**64': (400, post(CHUNKED, '10000000000000000\r\nHello\r\n0\r\n\r\n')),
    'a space in front of the size': (400, post(CHUNKED, ' 5\r\nHello\r\n0\r\n\r\n')),
    'a chunk longer than its size': (400, post(CHUNKED, '4\r\nHello\r\n0\r\n\r\n')),
    'a bare LF after the size': (400, post(CHUNKED, '5\nHello\r\n0\r\n\r\n')),
    'a bare LF after the chunk': (400, post(CHUNKED, '5\r\nHello\n0\r\n\r\n')),
    'a bare LF in an extension': (400, post(CHUNKED, '5;a="\n"\r\nHello\r\n0\r\n\r\n')),
    'an extension without a name': (400, post(CHUNKED, '5;;\r\nHello\r\n0\r\n\r\n')),
    'an endless extension': (400, post(CHUNKED, '5;' + 'a' * 100000)),
    'chunks that are too much': (413, post(CHUNKED, '100001\r\nHello')),
    'a length in the trailer': (400, post(CHUNKED, '0\r\nContent-Length: 5\r\n\r\n')),
    'a folded trailer': (400, post(CHUNKED, '0\r\nX-A: b\r\n c\r\n\r\n')),
    'an endless trailer': (400, post(CHUNKED, '0\r\nX-A: ' + 'a' * 100000)),
    # sizes
    'a long target': (414, get('/' + 'a' * 8192)),
    'a target without end': (414, 'GET /' + 'a' * 20000),
    'a method without end': (414, 'G' * 20000),
    'a long field': (431, get('/hello', 'X-A: ' + 'a' * 32768 + '\r\n')),
    'a field without end': (431, f'GET /hello HTTP/1.1\r\n{HOST}X-A: ' + 'a' * 100000),
    'many fields': (431, get('/hello', ''.join(f'X-{n}: {n}\r\n' for n in range(100)))),
    'long fields together': (431, get('/hello', ''.join(f'X-{n}: {"a" * 1000}\r\n' for n in range(40)))),
}


class Malformed(TestCase):
    def test_refused_and_closed(self):
        for name, (status, request) in REQUESTS.items():
            with self.subTest(name), self.server.connect() as client:
                client.send(request)
                response = client.response()
                self.assertEqual((response.status, response['Connection']), (status, 'close'))
                self.assertTrue(client.is_closed())

    def test_however_it_is_cut_into_packets(self):
        for name, (status, request) in REQUESTS.items():
            for at in 1, len(request) // 3, 2 * len(request) // 3, len(request) - 2, len(request) - 1:
                with self.subTest(name, at=at), self.server.connect() as client:
                    client.send(request[:at])
                    time.sleep(0.0005)
                    try:
                        client.send(request[at:])
                    except ConnectionError:
                        pass  # it was enough
                    self.assertEqual(client.response().status, status)

    def test_what_just_fits_is_served(self):
        target = '/' + 'a' * (8192 - len('GET / HTTP/1.1'))
        self.assertEqual(self.server.ask(get(target)).status, 404)
        self.assertEqual(self.server.ask(get('/hello', ''.join(f'X-{n}: {n}\r\n' for n in range(99)))).status, 200)
        self.assertEqual(self.server.ask(get('/hello', 'X-A: ' + 'a' * 32000 + '\r\n')).status, 200)
        with self.server.connect() as client:
            request = get('/hello', 'X-A: ' + 'a' * 32000 + '\r\n')
            client.send(request[:4])
            time.sleep(0.01)
            client.send(request[4:-4])
            time.sleep(0.01)
            client.send(request[-4:])
            self.assertEqual(client.response().status, 200)
        self.assertEqual(self.server.ask(get('/hello', 'X-A:\r\nX-B: \t \r\nX-C:c\r\n')).status, 200)
        self.assertEqual(self.server.ask(f'OPTIONS * HTTP/1.1\r\n{HOST}\r\n').status, 404)


class Slow(unittest.TestCase):
    def test_an_unfinished_head_is_answered_408(self):
        with Server(head_timeout=300) as server, server.connect() as client:
            client.send('GET /hello HTTP/1.1\r\nHost:')
            self.assertEqual(client.response().status, 408)
            self.assertTrue(client.is_closed())

    def test_a_head_that_trickles_is_answered_408(self):
        with Server(head_timeout=500) as server, server.connect() as client:
            began = time.monotonic()
            client.socket.settimeout(0.05)
            client.send('GET /hello HTTP/1.1\r\n')
            status = None
            while status is None and time.monotonic() - began < PATIENCE:
                try:
                    client.send('X-A: b\r\n')
                except ConnectionError:
                    pass  # it was enough
                try:
                    status = client.response().status
                except TimeoutError:
                    pass
            self.assertEqual(status, 408)
            self.assertGreater(time.monotonic() - began, 0.49)

    def test_an_unfinished_body_is_answered_408(self):
        for body in 'Content-Length: 10\r\n\r\nHello', f'{CHUNKED}\r\n5\r\nHel', f'{CHUNKED}\r\n5':
            with Server(body_timeout=300) as server, server.connect() as client:
                client.send(f'POST /echo HTTP/1.1\r\n{HOST}{body}')
                self.assertEqual(client.response().status, 408)
                self.assertTrue(client.is_closed())

    def test_idle_connections_are_closed_without_a_word(self):
        with Server(keep_alive_timeout=300) as server, server.connect() as client:
            self.assertTrue(client.is_closed())
            with server.connect() as used:
                used.send(get('/hello'))
                self.assertEqual(used.response().status, 200)
                self.assertTrue(used.is_closed())

    def test_clients_that_do_not_read_are_given_up(self):
        with Server(send_timeout=300, access_log=1) as server, server.connect() as client:
            client.send(get('/big'))
            self.assertIn(b'GET /big', server.process.stdout.readline())
            with self.assertRaises((EOFError, ConnectionResetError)):
                client.response()

    def test_a_response_that_was_given_up_is_no_whole_one(self):
        for version in '1.0', '1.1':
            with Server(send_timeout=300) as server, server.connect() as client:
                client.send(get('/stubborn', version=version))
                self.assertEqual(server.process.stdout.readline(), b'gave up\n')
                with self.assertRaises(ConnectionResetError):
                    client.to_the_end()

    def test_a_thousand_half_open_clients_harm_nobody(self):
        with Server(head_timeout=3000) as server:
            clients = [server.connect() for _ in range(1000)]
            for client in clients:
                client.send('GET /hello HTTP/1.1\r\nX-A: ')
            for _ in range(10):
                self.assertEqual(server.ask(get('/hello')).status, 200)
            for client in clients:
                self.assertEqual(client.response().status, 408)
                self.assertTrue(client.is_closed())
                client.socket.close()
            status, out = server.stop()
            self.assertEqual((status, out.splitlines()[-1]), (0, 'stopped with 0 connections'))


if __name__ == '__main__':
    unittest.main()
