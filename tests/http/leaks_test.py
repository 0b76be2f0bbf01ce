"""Whatever clients do, no memory and no descriptors are lost. Usage: leaks_test.py path/to/http_server"""
import contextlib
import os
import time
import unittest

from client import PATIENCE, Server, get
import malformed_test
import websocket_test


def misbehave():
    for _, request in malformed_test.REQUESTS.values():
        yield request
    for path in ('/hello', '/big', '/count', '/throw', '/broken', '/short', '/environ', '/cookies', '/close', '/exact'):
        yield get(path)
    for path in '/echo', '/lines', '/ignore':
        yield malformed_test.post('Content-Length: 10\r\n', 'half').replace('/echo', path)
    for path in websocket_test.PATHS:
        opening = websocket_test.handshake(path).encode()
        yield opening
        yield opening + websocket_test.frame(websocket_test.TEXT, b'a' * 1000)
        yield opening + websocket_test.frame(websocket_test.BINARY, b'cut', length=1000)
        yield opening + websocket_test.close_frame(1000)


def all_of_it(server):
    for request in misbehave():
        for waits in True, False:
            with server.connect() as client:
                client.send(request)
                try:
                    if waits:
                        client.receive()
                except ConnectionResetError:
                    pass


class Leaks(unittest.TestCase):
    def descriptors(self, server):
        """How many the server has, once all connections have ended, or are not going to."""
        directory, until = f'/proc/{server.process.pid}/fd', time.monotonic() + PATIENCE
        while time.monotonic() < until:
            targets = []
            for name in os.listdir(directory):
                with contextlib.suppress(FileNotFoundError):
                    targets.append(os.readlink(f'{directory}/{name}'))
            if sum(target.startswith('socket:') for target in targets) == 1:  # the listener
                break
            time.sleep(0.05)
        return len(targets)

    def test_nothing_is_lost(self):
        with Server(body_timeout=300, head_timeout=300, keep_alive_timeout=300) as server:
            server.ask(get('/hello'))
            at_rest = self.descriptors(server)
            before, growths = None, []
            # More threads at once than ever before take memory that is kept. A leak grows every time: by more than this,
            # for what a request loses is lost ten times a round.
            while not growths or (growths[-1] > 1000 and len(growths) < 12):
                for _ in range(5):
                    all_of_it(server)
                self.assertEqual(self.descriptors(server), at_rest)
                memory = int(server.ask(get('/memory')).body)
                if before is not None:
                    growths.append(memory - before)
                before = memory
            self.assertLessEqual(growths[-1], 1000, growths)


if __name__ == '__main__':
    unittest.main()
