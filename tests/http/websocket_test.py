"""What libguv_http's WebSockets promise, in cases of the Autobahn kind. Usage: websocket_test.py path/to/http_server"""
import asyncio
import os
import socket
import struct
import unittest
import zlib

from client import PATIENCE, Server, TestCase

try:
    import websockets
except ImportError:
    websockets = None

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
PATHS = '/ws/echo', '/ws/deflate', '/ws/describe', '/ws/small', '/ws/tick', '/ws/time-out', '/ws/throw'


def handshake(path, **fields):
    lines = {'Host': 'localhost', 'Upgrade': 'websocket', 'Connection': 'keep-alive, Upgrade',
             'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version': '13'}
    lines.update({name.replace('_', '-'): value for name, value in fields.items()})
    text = ''.join(f'{name}: {value}\r\n' for name, value in lines.items() if value is not None)
    return f'GET {path} HTTP/1.1\r\n{text}\r\n'


EXTENSIONS = 'Sec-WebSocket-Extensions'
FLUSHED = b'\0\0\xff\xff'


def deflated(data, bits=15, end=zlib.Z_SYNC_FLUSH):
    """A message of a client that compresses each by itself."""
    compressor = zlib.compressobj(wbits=-bits)
    return (compressor.compress(data) + compressor.flush(end)).removesuffix(FLUSHED)


def inflated(payload, bits=15):
    return zlib.decompressobj(wbits=-bits).decompress(payload + FLUSHED)


def frame(opcode, payload=b'', fin=True, rsv=0, masked=True, length=None):
    """A client's frame; `length` is what it pretends to be."""
    size = len(payload) if length is None else length
    head = bytes([fin << 7 | rsv << 4 | opcode])
    mask_bit = 0x80 if masked else 0
    if size < 126:
        head += bytes([mask_bit | size])
    elif size < 65536:
        head += bytes([mask_bit | 126]) + struct.pack('>H', size)
    else:
        head += bytes([mask_bit | 127]) + struct.pack('>Q', size)
    if not masked:
        return head + payload
    mask = os.urandom(4)
    return head + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))


def close_frame(code, reason=b''):
    return frame(CLOSE, struct.pack('>H', code) + reason)


class Sockets(TestCase):
    def open(self, path='/ws/echo', **fields):
        client = self.enterContext(self.server.connect())
        client.send(handshake(path, **fields))
        response = client.response()
        self.assertEqual(response.status, 101)
        self.assertEqual(response['Sec-WebSocket-Accept'], 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=')
        client.extensions = response[EXTENSIONS]
        return client

    def next_frame(self, client):
        first, size = client.exactly(2)
        self.assertEqual(size & 0x80, 0, 'servers do not mask')
        if size == 126:
            size, = struct.unpack('>H', client.exactly(2))
        elif size == 127:
            size, = struct.unpack('>Q', client.exactly(8))
        return first, client.exactly(size)

    def assert_message(self, client, opcode, payload):
        self.assertEqual(self.next_frame(client), (0x80 | opcode, payload))

    def assert_closed(self, client, code=None, reason=b''):
        payload = b'' if code is None else struct.pack('>H', code) + reason
        self.assert_message(client, CLOSE, payload)
        self.assertTrue(client.is_closed())

    def assert_fails(self, code, *frames, path='/ws/echo'):
        client = self.open(path)
        client.send(b''.join(frames))
        self.assert_closed(client, code)


class Handshake(Sockets):
    def refused(self, status, **fields):
        response = self.server.ask(handshake('/ws/describe', **fields))
        self.assertEqual(response.status, status)
        return response

    def test_properties(self):
        client = self.open('/ws/describe?x', Origin='http://page', Sec_WebSocket_Protocol='bad, good,best')
        self.assert_message(client, TEXT, b'/ws/describe http://page best localhost')
        client = self.open('/ws/describe', Sec_WebSocket_Protocol='Best')
        self.assert_message(client, TEXT, b'/ws/describe   localhost')

    def test_refused(self):
        self.assertEqual(self.refused(426, Upgrade=None)['Upgrade'], 'websocket')
        self.assertEqual(self.refused(426, Sec_WebSocket_Version='8')['Sec-WebSocket-Version'], '13')
        self.refused(426, Connection='close')
        self.refused(400, Sec_WebSocket_Key='short==')
        self.refused(400, Sec_WebSocket_Key=None)
        self.refused(403, Origin='http://evil')

    def test_frames_may_come_with_the_handshake(self):
        with self.server.connect() as client:
            client.send(handshake('/ws/echo').encode() + frame(TEXT, b'early'))
            self.assertEqual(client.response().status, 101)
            self.assert_message(client, TEXT, b'early')


class Messages(Sockets):
    def test_lengths(self):
        client = self.open()
        for size in 0, 1, 125, 126, 127, 65535, 65536, 1 << 20:
            client.send(frame(BINARY, b'\xfe' * size))
            self.assert_message(client, BINARY, b'\xfe' * size)

    def test_text(self):
        client = self.open()
        for text in '', 'Hello', '\u03ba\u1f79\u03c3\u03bc\u03b5', '\U0010ffff\0':
            client.send(frame(TEXT, text.encode()))
            self.assert_message(client, TEXT, text.encode())

    def test_fragments(self):
        client = self.open()
        client.send(frame(TEXT, b'a', fin=False) + frame(CONTINUATION, b'', fin=False) + frame(CONTINUATION, b'b'))
        self.assert_message(client, TEXT, b'ab')

    def test_characters_cut_by_fragments(self):
        client = self.open()
        text = '\u03ba\U00010000'.encode()
        client.send(b''.join(frame(CONTINUATION if i else TEXT, text[i:i + 1], fin=i == len(text) - 1)
                             for i in range(len(text))))
        self.assert_message(client, TEXT, text)

    def test_control_frames_between_fragments(self):
        client = self.open()
        client.send(frame(TEXT, b'a', fin=False) + frame(PING, b'now') + frame(PONG) + frame(CONTINUATION, b'b'))
        self.assert_message(client, PONG, b'now')
        self.assert_message(client, TEXT, b'ab')

    def test_byte_by_byte(self):
        client = self.open()
        for byte in frame(TEXT, b'a', fin=False) + frame(PING, b'p') + frame(CONTINUATION, b'b'):
            client.send(bytes([byte]))
        self.assert_message(client, PONG, b'p')
        self.assert_message(client, TEXT, b'ab')

    def test_many_in_one_packet(self):
        client = self.open()
        client.send(b''.join(frame(TEXT, b'%d' % i) for i in range(1000)))
        for i in range(1000):
            self.assert_message(client, TEXT, b'%d' % i)

    def test_pings_are_answered(self):
        client = self.open()
        for payload in b'', b'\xff' * 125:
            client.send(frame(PING, payload))
            self.assert_message(client, PONG, payload)

    def test_pongs_nobody_asked_for(self):
        client = self.open()
        client.send(frame(PONG, b'x') + frame(TEXT, b'on'))
        self.assert_message(client, TEXT, b'on')

    def test_send_and_wait_at_once(self):
        client = self.open('/ws/tick')
        for i in range(20):
            self.assert_message(client, TEXT, b'tick %d' % i)
        client.send(frame(TEXT, b'heard'))
        while self.next_frame(client) != (0x80 | TEXT, b'heard'):
            pass
        client.send(close_frame(1000))
        while self.next_frame(client) != (0x80 | CLOSE, struct.pack('>H', 1000)):
            pass
        self.assertTrue(client.is_closed())

    def test_a_client_that_does_not_read_harms_nobody(self):
        client = self.open()
        client.socket.settimeout(0.2)
        with self.assertRaises(TimeoutError):
            for _ in range(200):
                client.send(frame(BINARY, b'x' * (1 << 18)))
        self.assertEqual(self.server.ask(handshake('/hello')).body, b'Hello, world!')


class Violations(Sockets):
    def test_protocol_errors(self):
        for name, frames in {
            'not masked': [frame(TEXT, b'a', masked=False)],
            'rsv1': [frame(TEXT, b'a', rsv=4)],
            'rsv2': [frame(BINARY, b'a', rsv=2)],
            'rsv3 of a ping': [frame(PING, rsv=1)],
            'opcode 3': [frame(3, b'a')],
            'opcode 11': [frame(11)],
            'a fragmented ping': [frame(PING, b'a', fin=False)],
            'a long ping': [frame(PING, b'a' * 126)],
            'a long close': [close_frame(1000, b'a' * 124)],
            'a continuation of nothing': [frame(CONTINUATION, b'a')],
            'a continuation after the end': [frame(TEXT, b'', fin=False), frame(CONTINUATION), frame(CONTINUATION)],
            'text between fragments': [frame(TEXT, b'a', fin=False), frame(TEXT, b'b')],
            'a close of one byte': [frame(CLOSE, b'a')],
            'a length of 2**63': [frame(BINARY, length=1 << 63)],
            'a length that is longer than needed': [b'\x82\xfe\x00\x01\0\0\0\0a'],
        }.items():
            with self.subTest(name):
                client = self.open()
                client.send(b''.join(frames))
                while (received := self.next_frame(client))[0] == 0x80 | TEXT:
                    pass
                self.assertEqual(received, (0x80 | CLOSE, b'\x03\xea'))
                self.assertTrue(client.is_closed())

    def test_close_codes(self):
        for code in 1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999:
            client = self.open()
            client.send(close_frame(code, b'why'))
            self.assert_closed(client, code, b'why')
        for code in 0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 5000, 65535:
            self.assert_fails(1002, close_frame(code))

    def test_close_without_a_code(self):
        client = self.open()
        client.send(frame(CLOSE))
        self.assert_closed(client)

    def test_bad_utf8(self):
        for text in b'\xff', b'\xc0\x80', b'\xed\xa0\x80', b'\xf4\x90\x80\x80', b'\xce', b'a\xcea':
            self.assert_fails(1007, frame(TEXT, text))
        self.assert_fails(1007, frame(TEXT, b'\xce', fin=False), frame(CONTINUATION, b'x'))
        self.assert_fails(1007, close_frame(1000, b'\xff'))

    def test_bad_utf8_is_noticed_before_the_end_of_the_message(self):
        self.assert_fails(1007, frame(TEXT, b'\xff', fin=False))

    def test_messages_that_are_too_long(self):
        self.assert_fails(1009, frame(BINARY, b'x', length=100001), path='/ws/small')
        self.assert_fails(1009, frame(BINARY, b'x', length=1 << 62), path='/ws/small')
        self.assert_fails(1009, frame(BINARY, b'x' * 60000, fin=False), frame(CONTINUATION, b'x' * 60000),
                          path='/ws/small')
        client = self.open('/ws/small')
        client.send(frame(BINARY, b'x' * 100000))
        self.assert_message(client, BINARY, b'x' * 100000)

    def test_a_close_on_the_heels_of_messages(self):
        client = self.open()
        client.send(frame(TEXT, b'a') + close_frame(1000))
        self.assert_message(client, TEXT, b'a')
        self.assert_closed(client, 1000)
        client = self.open()
        client.send(frame(PING, b'p') + frame(TEXT, b'a') + frame(BINARY, b'b' * 5000) + frame(PING, b'q') +
                    close_frame(3000, b'that was it'))
        self.assert_message(client, PONG, b'p')
        self.assert_message(client, TEXT, b'a')
        self.assert_message(client, BINARY, b'b' * 5000)
        self.assert_message(client, PONG, b'q')
        self.assert_closed(client, 3000, b'that was it')
        self.assertNotIn('Broken pipe', self.server.complaints())

    def test_what_breaks_the_protocol_after_a_message(self):
        client = self.open()
        client.send(frame(TEXT, b'a') + frame(3, b'b'))
        self.assert_message(client, TEXT, b'a')
        self.assert_closed(client, 1002)

    def test_a_close_in_pieces(self):
        for reason in '\u03ba\U00010000'.encode(), b'':
            client = self.open()
            for byte in close_frame(1000, reason):
                client.send(bytes([byte]))
            self.assert_closed(client, 1000, reason)
        client = self.open()
        bad = close_frame(1000, b'a\xff')
        client.send(bad[:-1])
        client.send(bad[-1:])
        self.assert_closed(client, 1007)

    def test_what_comes_after_the_close_is_nobodys(self):
        client = self.open()
        client.send(close_frame(1000) + frame(TEXT, b'more') + b'\xff\xff\xff')
        self.assert_closed(client, 1000)


class Compression(Sockets):
    def open(self, path='/ws/deflate', offer='permessage-deflate'):
        return super().open(path, **{EXTENSIONS: offer})

    def test_terms(self):
        deflate = 'permessage-deflate'
        for offer, answer in {
            deflate: deflate,
            f'{deflate}; client_max_window_bits': f'{deflate}; client_max_window_bits=12',
            f'{deflate};client_max_window_bits=10': f'{deflate}; client_max_window_bits=10',
            f'{deflate}; client_max_window_bits = "8"': f'{deflate}; client_max_window_bits=8',
            f'{deflate}; server_max_window_bits=15': f'{deflate}; server_max_window_bits=12',
            f'{deflate}; server_max_window_bits=9': f'{deflate}; server_max_window_bits=9',
            f'{deflate}; server_no_context_takeover': f'{deflate}; server_no_context_takeover',
            f'{deflate}; client_no_context_takeover': f'{deflate}; client_no_context_takeover',
            f'x-other; a=b, {deflate}; unknown, {deflate}; server_max_window_bits=10, {deflate}':
                f'{deflate}; server_max_window_bits=10',
        }.items():
            with self.subTest(offer):
                self.assertEqual(self.open(offer=offer).extensions, answer)

    def test_offers_that_are_declined(self):
        for offer in ('', 'x-other', 'permessage-deflate-x', 'permessage-deflate; unknown', 'permessage-deflate; =',
                      'permessage-deflate; server_no_context_takeover=1',
                      'permessage-deflate; client_no_context_takeover=',
                      'permessage-deflate; server_max_window_bits', 'permessage-deflate; server_max_window_bits=7',
                      'permessage-deflate; server_max_window_bits=16', 'permessage-deflate; server_max_window_bits=010',
                      'permessage-deflate; server_max_window_bits=8', 'permessage-deflate; client_max_window_bits=',
                      'permessage-deflate; client_max_window_bits=15; client_max_window_bits=15',
                      'permessage-deflate;'):
            with self.subTest(offer):
                client = self.open(offer=offer)
                self.assertIsNone(client.extensions)
                client.send(frame(TEXT, b'a' * 1000))
                self.assert_message(client, TEXT, b'a' * 1000)
                client.send(frame(TEXT, deflated(b'a'), rsv=4))
                self.assert_closed(client, 1002)

    def test_it_is_off_unless_asked_for(self):
        self.assertIsNone(self.open('/ws/echo').extensions)

    def assert_deflated(self, client, payload, bits=15):
        first, compressed = self.next_frame(client)
        self.assertEqual(first, 0xc0 | BINARY)
        self.assertEqual(inflated(compressed, bits), payload)

    def test_lengths(self):
        client = self.open(offer='permessage-deflate; server_no_context_takeover')
        for size in 32, 125, 126, 4095, 4096, 4097, 65535, 65536, 100000:
            for data in b'\xfe' * size, os.urandom(size):
                client.send(frame(BINARY, deflated(data), rsv=4))
                self.assert_deflated(client, data)

    def test_small_windows(self):
        data = os.urandom(1000) * 20
        for bits in range(9, 16):
            client = self.open(offer='permessage-deflate; '
                                     f'server_max_window_bits={bits}; client_max_window_bits={bits}')
            client.send(frame(BINARY, deflated(data, bits=min(bits, 12)), rsv=4))
            self.assert_deflated(client, data, bits)

    def test_context_is_taken_over(self):
        client = self.open()
        compressor, decompressor = zlib.compressobj(wbits=-15), zlib.decompressobj(wbits=-15)
        data, sizes = os.urandom(1000), []
        for _ in range(3):
            payload = (compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH)).removesuffix(FLUSHED)
            client.send(frame(BINARY, payload, rsv=4))
            first, compressed = self.next_frame(client)
            self.assertEqual(first, 0xc0 | BINARY)
            self.assertEqual(decompressor.decompress(compressed + FLUSHED), data)
            sizes.append(len(compressed))
        self.assertLess(max(sizes[1:]), 50, sizes)

    def test_context_is_not_taken_over(self):
        client = self.open('/ws/deflate-small', 'permessage-deflate; client_max_window_bits')
        self.assertEqual(client.extensions, 'permessage-deflate; server_no_context_takeover; '
                                            'client_no_context_takeover; client_max_window_bits=9')
        data = os.urandom(300)
        for _ in range(3):
            client.send(frame(BINARY, deflated(data, bits=9), rsv=4))
            self.assert_deflated(client, data)

    def test_plain_messages_between(self):
        client = self.open()
        compressor = zlib.compressobj(wbits=-15)
        for text in b'one', b'two', b'':
            payload = (compressor.compress(text) + compressor.flush(zlib.Z_SYNC_FLUSH)).removesuffix(FLUSHED)
            client.send(frame(TEXT, payload, rsv=4) + frame(TEXT, b'plain'))
            self.assert_message(client, TEXT, text)
            self.assert_message(client, TEXT, b'plain')

    def test_fragments(self):
        client = self.open()
        text = '\u03ba\U00010000'.encode() * 100
        payload = deflated(text)
        for i in range(len(payload)):
            opcode, rsv = (CONTINUATION, 0) if i else (TEXT, 4)
            client.send(frame(opcode, payload[i:i + 1], fin=i == len(payload) - 1, rsv=rsv) + frame(PING, b'%d' % i))
        for i in range(len(payload) - 1):
            self.assert_message(client, PONG, b'%d' % i)
        first, compressed = self.next_frame(client)
        self.assertEqual((first, inflated(compressed)), (0xc0 | TEXT, text))

    def test_examples_of_the_rfc(self):
        for payload in ('f248cdc9c90700', '000500faff48656c6c6f00', 'f348cdc9c9070000', 'f24805000000ffffcac9c90700'):
            client = self.open()
            client.send(frame(TEXT, bytes.fromhex(payload), rsv=4))
            self.assert_message(client, TEXT, b'Hello')

    def test_a_stream_that_ends_and_begins_anew(self):
        client = self.open()
        for end in zlib.Z_FINISH, zlib.Z_FINISH, zlib.Z_SYNC_FLUSH, zlib.Z_SYNC_FLUSH:
            client.send(frame(TEXT, deflated(b'Hello', end=end), rsv=4))
            self.assert_message(client, TEXT, b'Hello')

    def test_rsv1_elsewhere(self):
        for name, frames in {
            'a ping': [frame(PING, b'a', rsv=4)],
            'a close': [frame(CLOSE, rsv=4)],
            'a later fragment': [frame(TEXT, deflated(b'Hello'), rsv=4, fin=False), frame(CONTINUATION, rsv=4)],
            'rsv2 as well': [frame(TEXT, deflated(b'Hello'), rsv=6)],
        }.items():
            with self.subTest(name):
                client = self.open()
                client.send(b''.join(frames))
                self.assert_closed(client, 1002)

    def test_what_is_no_output_of_a_compressor(self):
        for name, payload in {
            'a bad block': b'\xff' * 10,
            'a bad distance': deflated(b'a' * 100)[:-1] + b'\x77',
            'cut off': deflated(os.urandom(100))[:50],
            'a stored block cut off': b'\0\5\0\xfa\xffHell',
            'something after the end': deflated(b'Hello', end=zlib.Z_FINISH) + b'\xff' * 10,
        }.items():
            with self.subTest(name):
                client = self.open()
                client.send(frame(TEXT, payload, rsv=4))
                self.assert_closed(client, 1007)

    def test_bad_utf8(self):
        for text in b'\xff' * 40, b'Hello \xce', b'\xed\xa0\x80':
            client = self.open()
            client.send(frame(BINARY, deflated(text), rsv=4) + frame(TEXT, deflated(text), rsv=4))
            self.next_frame(client)
            self.assert_closed(client, 1007)

    def test_messages_that_are_too_long(self):
        bomb = zlib.compressobj(wbits=-15)
        bomb = b''.join(bomb.compress(bytes(1 << 20)) for _ in range(80)) + bomb.flush(zlib.Z_SYNC_FLUSH)
        self.assertLess(len(bomb), 100000)
        for payload in bomb, deflated(b'x' * 100001):
            client = self.open()
            client.send(frame(BINARY, payload, rsv=4))
            self.assert_closed(client, 1009)
        client = self.open()
        client.send(frame(BINARY, b'x' * 100001))
        self.assert_closed(client, 1009)


class Ends(Sockets):
    def test_a_handler_that_throws(self):
        client = self.open('/ws/throw')
        self.assert_message(client, CLOSE, struct.pack('>H', 1011))
        client.send(close_frame(1011))
        self.assertTrue(client.is_closed())
        self.assertIn('thrown on purpose', self.server.complaints())

    def test_a_handler_that_returns(self):
        client = self.open('/ws/describe')
        self.next_frame(client)
        self.assert_message(client, CLOSE, struct.pack('>H', 1000))
        client.send(frame(TEXT, b'on its way') + close_frame(1000))
        self.assertTrue(client.is_closed())

    def test_time_outs_and_closing_with_a_reason(self):
        with Server() as server, server.connect() as client:
            client.send(handshake('/ws/time-out'))
            self.assertEqual(client.response().status, 101)
            self.assert_message(client, TEXT, b'timed out')
            self.assert_message(client, CLOSE, struct.pack('>H', 4000) + b'that was it')
            client.send(close_frame(4000))
            self.assertTrue(client.is_closed())
            self.assertEqual(server.stop()[1].splitlines()[:2], ['closed, 4000', 'EPIPE'])

    def test_what_must_not_be_sent_is_refused(self):
        client = self.open('/ws/misuse')
        self.assert_message(client, TEXT, b'refused')
        self.assert_message(client, CLOSE, struct.pack('>H', 1013))
        client.send(close_frame(1000))
        self.assertTrue(client.is_closed())

    def test_what_the_handler_learns(self):
        with Server() as server:
            for last in close_frame(3001, b'because'), frame(CLOSE), b'':
                with server.connect() as client:
                    client.send(handshake('/ws/echo'))
                    client.response()
                    client.send(last)
                    client.socket.shutdown(socket.SHUT_WR)
                    client.to_the_end()
            self.assertEqual(server.stop()[1].splitlines()[:3],
                             ['closed with 3001 "because"', 'closed with 1005 ""', 'closed with 1006 ""'])

    def test_a_server_that_stops_goes_away(self):
        with Server() as server, server.connect() as client:
            client.send(handshake('/ws/echo'))
            client.response()
            server.process.terminate()
            self.assert_message(client, CLOSE, struct.pack('>H', 1001))
            client.send(close_frame(1001))
            self.assertTrue(client.is_closed())
            self.assertEqual(server.process.wait(PATIENCE), 0)


@unittest.skipUnless(websockets, 'python3-websockets is not installed')
class Library(TestCase):
    def test_a_hundred_clients_of_another_library(self):
        async def talk(number):
            compression = 'deflate' if number % 2 else None
            url = f'ws://127.0.0.1:{self.server.port}/ws/' + (compression or 'echo')
            async with websockets.connect(url, compression=compression, open_timeout=PATIENCE, ping_interval=None,
                                          close_timeout=PATIENCE) as socket:
                self.assertEqual(len(socket.extensions), number % 2)
                for size in 0, 0, 10, 1000, 50000:
                    await socket.send(str(number) * size)
                    self.assertEqual(await socket.recv(), str(number) * size)
                    await socket.send(bytes([number]) * size)
                    self.assertEqual(await socket.recv(), bytes([number]) * size)
                await (await socket.ping(b'x'))

        async def talk_all():
            await asyncio.wait_for(asyncio.gather(*(talk(number) for number in range(100))), PATIENCE)

        asyncio.run(talk_all())


if __name__ == '__main__':
    unittest.main()
