"""Clients that hold many connections at once. All of them ask before anybody reads, so the server serves all together."""

import hashlib
import os
import random
import select
import socket
import time

from harness import Failure


class Connection:
    """A blocking connection that complains instead of returning less than it was asked for."""

    def __init__(self, sock):
        self.sock, self.buffer = sock, b""

    def send(self, data):
        self.sock.sendall(data)

    def more(self):
        try:
            data = self.sock.recv(262144)
        except socket.timeout:
            raise Failure(f"no reply on {self.sock.getsockname()} within {self.sock.gettimeout():.0f} s") from None
        self.buffer += data
        return bool(data)

    def until(self, mark):
        while mark not in self.buffer:
            if not self.more():
                raise Failure(f"closed by the server; {self.buffer[:80]!r} came, {mark!r} did not")
        head, _, self.buffer = self.buffer.partition(mark)
        return head + mark

    def line(self):
        return self.until(b"\n")

    def exactly(self, count):
        while len(self.buffer) < count:
            if not self.more():
                raise Failure(f"closed by the server after {len(self.buffer)} of {count} bytes")
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def rest(self):
        while self.more():
            pass
        data, self.buffer = self.buffer, b""
        return data

    def response(self):
        """One HTTP response: its status and its body."""
        head = self.until(b"\r\n\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
        length = fields.get(b"content-length")
        return int(head.split()[1]), self.exactly(int(length)) if length is not None else self.rest()

    def close(self):
        self.sock.close()


class Crowd(list):
    """Many connections, closed together."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for connection in self:
            connection.close()

    def send(self, message, which=None):
        """Sends message(i) on connection i, on all of them or on those that `which` says."""
        for i in which or range(len(self)):
            self[i].send(message(i))

    def receive(self, read, wanted, which=None):
        """Counts the connections on which read(connection) gives wanted(i); anything else is a failure."""
        which = which or range(len(self))
        for i in which:
            try:
                got = read(self[i])
            except (Failure, OSError) as trouble:
                raise Failure(f"connection {i} of {len(self)}: {trouble or type(trouble).__name__}") from None
            if got != wanted(i):
                raise Failure(f"connection {i} of {len(self)}: the reply is {brief(got)}, and not {brief(wanted(i))}")
        return len(which)

    def ask(self, message, read, wanted, together):
        """Sends to and then receives from `together` connections at a time, until all had their turn; counts them."""
        count = 0
        for first in range(0, len(self), together):
            which = range(first, min(first + together, len(self)))
            self.send(message, which)
            count += self.receive(read, wanted, which)
        return count


def brief(value):
    text = repr(value)
    return text if len(text) < 120 else f"{text[:100]}… ({len(text)} characters)"


def crowd(trial, port, count, host="127.0.0.1", follow=None, wrap=None):
    """Opens `count` connections.

    With `follow`, a server with a short backlog, they never run far ahead of what it has accepted. All are waited for
    together: one whose SYN was dropped (and is repeated a second later) does not hold up the others."""
    sockets, waiting, poll = [], {}, select.poll()
    before = follow.descriptors() if follow else 0
    for number in range(count):
        patience = time.monotonic() + 0.5
        while follow and follow.descriptors() < before + number - 2 and time.monotonic() < patience:
            time.sleep(0.0002)
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.connect_ex((host, port))
        poll.register(sock, select.POLLOUT)
        waiting[sock.fileno()] = sock
        sockets.append(sock)
    while waiting:
        ready = poll.poll(trial.left() * 1000)
        if not ready:
            raise Failure(f"{len(waiting)} of {count} connections cannot be opened")
        for fd, _ in ready:
            error = waiting[fd].getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error:
                raise Failure(f"connect: error {error}")
            poll.unregister(fd)
            del waiting[fd]
    result = Crowd()
    for sock in sockets:
        sock.settimeout(trial.left())
        result.append(Connection(wrap(sock) if wrap else sock))
    return result


def content(number, size):
    """`size` bytes that belong to `number` alone and are the same in every run."""
    return random.Random(number * 1000003 + size).randbytes(size)


def sha(data):
    return hashlib.sha256(data).hexdigest()


SIZES = (0, 1, 300, 4096, 65536, 65537, 200000)


def make_files(directory, count=50):
    """Makes a directory with file0…, whose sizes end on and off buffer boundaries; returns their contents."""
    os.mkdir(directory)
    files = []
    for number in range(count):
        files.append(content(number, SIZES[number % len(SIZES)]))
        with open(f"{directory}/file{number}", "wb") as file:
            file.write(files[-1])
    return files
