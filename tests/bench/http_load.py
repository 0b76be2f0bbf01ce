"""A closed-loop HTTP/1.1 client: many kept-alive connections to one server, on one thread and one epoll."""
import errno
import select
import socket
import time

REQUEST = b'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'


class Connection:
    __slots__ = ('socket', 'received', 'expected', 'sent')

    def __init__(self, sock):
        self.socket = sock
        self.received = b''
        self.expected = 0   # length of the whole answer, once its header has come
        self.sent = 0.0     # when the request under way was sent; 0: none is


class HttpLoad:
    def __init__(self, port, body):
        self.address, self.body = ('127.0.0.1', port), body
        self.poll = select.epoll()
        self.connections = {}
        self.errors = {}

    def open(self, count, *, at_once, seconds, stalled=15):
        """Opens `count` connections that were each served once; gives up after so many seconds, or `stalled` without any.

        At most `at_once` are being served, because socketserver's backlog is 5 and a full backlog means seconds of
        retries."""
        until = time.monotonic() + seconds
        last_ended = time.monotonic()
        begun = under_way = 0
        while (begun < count or under_way) and time.monotonic() < min(until, last_ended + stalled):
            while begun < count and under_way < at_once:
                self._connect()
                begun += 1
                under_way += 1
            ended = self._turn(1.0)
            under_way -= ended
            if ended:
                last_ended = time.monotonic()
        for connection in list(self.connections.values()):
            if connection.sent:
                self._broken(connection, 'not served in time')
        if begun < count:
            self._error('not opened in time', count - begun)
        return len(self.connections)

    def run(self, seconds, drain=30):
        """Keeps a request under way on every connection for so long: (answers, elapsed, sorted latencies)."""
        start = time.monotonic()
        self.latencies = []
        for connection in list(self.connections.values()):
            self._request(connection)
        under_way = len(self.connections)
        again_until = start + seconds
        while under_way and time.monotonic() < again_until + drain:
            under_way -= self._turn(1.0, again_until)
        elapsed = time.monotonic() - start
        for connection in list(self.connections.values()):
            if connection.sent:
                self._broken(connection, f'not answered within {drain} s')
        latencies, self.latencies = sorted(self.latencies), None
        return len(latencies), elapsed, latencies

    def close(self):
        for connection in self.connections.values():
            connection.socket.close()
        self.connections.clear()
        self.poll.close()

    latencies = None

    def _error(self, text, count=1):
        self.errors[text] = self.errors.get(text, 0) + count

    def _broken(self, connection, text):
        self._error(text)
        self.connections.pop(connection.socket.fileno(), None)
        connection.socket.close()

    def _connect(self):
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        connection = Connection(sock)
        self.connections[sock.fileno()] = connection
        connection.sent = time.monotonic()
        sock.connect_ex(self.address)
        self.poll.register(sock.fileno(), select.EPOLLOUT)

    def _request(self, connection):
        connection.received, connection.expected = b'', 0
        connection.sent = time.monotonic()
        try:
            connection.socket.send(REQUEST)
        except OSError as error:
            self._broken(connection, errno.errorcode.get(error.errno, str(error)))
            return False
        return True

    def _turn(self, seconds, again_until=0.0):
        """Handles what is ready; returns how many connections ended their turn: served, or broken."""
        ended = 0
        for fd, events in self.poll.poll(seconds):
            connection = self.connections[fd]
            if events & select.EPOLLOUT:
                error = connection.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if error:
                    self._broken(connection, errno.errorcode.get(error, str(error)))
                    ended += 1
                    continue
                self.poll.modify(fd, select.EPOLLIN)
                ended += not self._request(connection)
                continue
            ended += self._receive(connection, again_until)
        return ended

    def _receive(self, connection, again_until):
        try:
            data = connection.socket.recv(65536)
        except BlockingIOError:
            return 0
        except OSError as error:
            self._broken(connection, errno.errorcode.get(error.errno, str(error)))
            return 1
        if not data:
            was_waiting = connection.sent != 0
            self._broken(connection, 'closed by the server')
            return 1 if was_waiting else 0
        connection.received += data
        if not connection.expected:
            end = connection.received.find(b'\r\n\r\n')
            if end < 0:
                return 0
            header = connection.received[:end].lower()
            at = header.find(b'content-length:')
            if not header.startswith(b'http/1.1 200') or at < 0:
                self._broken(connection, header.split(b'\r\n')[0].decode(errors='replace'))
                return 1
            connection.expected = end + 4 + int(header[at + 15:].split(b'\r\n', 1)[0])
        if len(connection.received) < connection.expected:
            return 0
        if not connection.received.endswith(self.body) or len(connection.received) != connection.expected:
            self._broken(connection, 'wrong content')
            return 1
        now = time.monotonic()
        if self.latencies is not None:
            self.latencies.append(now - connection.sent)
        connection.sent = 0.0
        if now < again_until:
            return 0 if self._request(connection) else 1
        return 1
