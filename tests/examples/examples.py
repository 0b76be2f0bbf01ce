#!/usr/bin/env python3
"""Drives a program of docs/examples and insists on what its page promises.   examples.py NAME PROGRAM

Exit status 0: as promised; 1: not; 77: something it needs is not installed.
"""

import base64
import http.server
import os
import re
import socket
import struct
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "wild"))

import harness  # noqa: E402
from harness import Failure, Skip, find  # noqa: E402

EXAMPLES = {}


def example(function):
    EXAMPLES[function.__name__] = function
    return function


def output(trial, program, *arguments):
    """Runs the program to its end; returns what it wrote to standard output."""
    running = trial.helper([program, *arguments])
    status = running.process.wait(timeout=trial.left())
    trial.expect("exit status", status, 0)
    return running.output()


def serving(trial, program):
    """Starts the server on any port; returns it and the port."""
    running = trial.helper([program, "0"])
    found = lambda: re.search(r"listening on port (\d+)", running.output())  # noqa: E731
    trial.until_true(found, "the server does not say its port")
    return running, int(found()[1])


@example
def hello_spawn(trial, program):
    said = output(trial, program)
    trial.expect("output", said, "".join(f"{i * i}\n" for i in range(10)) + "the thread threw: no luck\n")


@example
def threads(trial, program):
    running = trial.helper([program])
    trial.expect("exit status", running.process.wait(timeout=trial.left()), 0)
    trial.expect("output", running.output(), "1000 threads met and slept; guv was active\n")
    if running.peak > harness.GREEN_TASKS:
        raise Failure(f"{running.peak} kernel threads: the program's are not green")


@example
def producer_consumer(trial, program):
    lines = output(trial, program).splitlines()
    trial.expect("last line", lines.pop(), "nothing is left")
    done = [line.partition(" is done with ")[2] for line in lines]
    trial.expect("items", sorted(done), sorted(f"{name} {i}" for name in ("apple", "pear", "plum") for i in range(1, 5)))
    for name in ("apple", "pear", "plum"):
        trial.expect(f"{name}s in order", [item for item in done if item.startswith(name)], [f"{name} {i}" for i in range(1, 5)])


@example
def echo_server(trial, program):
    running, port = serving(trial, program)
    clients = [socket.create_connection(("127.0.0.1", port), timeout=trial.left()) for _ in range(50)]
    for number, client in enumerate(clients):
        client.sendall(f"hello {number}".encode())
    for number, client in enumerate(clients):
        wanted = f"hello {number}".encode()
        said = b""
        while len(said) < len(wanted):
            part = client.recv(100)
            if not part:
                raise Failure(f"connection {number} ended after {said!r}")
            said += part
        trial.expect("echo", said, wanted)
        client.close()
    if running.tasks() > harness.GREEN_TASKS:
        raise Failure(f"{running.tasks()} kernel threads")


class PagesAtOnce(http.server.BaseHTTPRequestHandler):
    """No page comes before all twenty have been asked for."""

    asked_for = threading.Barrier(20)

    def do_GET(self):
        self.asked_for.wait()
        body = b"x" * int(self.path[1:])
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


@example
def crawler(trial, program):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), PagesAtOnce)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    said = output(trial, program, *(f"http://127.0.0.1:{server.server_port}/{100 + i}" for i in range(20)))
    server.shutdown()
    trial.expect("output", said, "".join(f"{i}: done, length: {100 + i}\n" for i in range(20)))


def queries(trial, program, count):
    """What the program says of as many queries; the server must have worked on several at once."""
    from case_database import postgres
    find("/usr/lib/postgresql/*/bin/initdb")
    programs, port, _ = postgres(trial)
    watcher = trial.helper([programs + "/psql", "-h", "127.0.0.1", "-p", str(port), "-U", "postgres", "-c", """
        do $$ begin
          raise notice 'watching';
          loop
            perform pg_stat_clear_snapshot();
            exit when (select count(*) > 2 from pg_stat_activity where state = 'active' and query like 'select % pg_sleep(0.1)');
            perform pg_sleep(0.002);
          end loop;
          raise notice 'several at once';
        end $$"""])
    trial.until_true(lambda: "watching" in watcher.errors(), "psql does not watch")
    said = output(trial, program, f"host=127.0.0.1 port={port} user=postgres dbname=postgres", str(count))
    trial.until_true(lambda: "several at once" in watcher.errors(), "the server has not seen several queries at once")
    return said


@example
def query_fanout(trial, program):
    trial.expect("output", queries(trial, program, 100), "100 queries of a tenth of a second, sum of the answers 4950\n")


@example
def one_library(trial, program):
    trial.expect("output", queries(trial, program, 20), "20 queries of a tenth of a second, sum of the answers 190\n"
                                                        "others run meanwhile: yes\nand once it is undone: no\n")


@example
def http_server(trial, program):
    _, port = serving(trial, program)
    url = f"http://127.0.0.1:{port}"
    trial.expect("/", trial.run([find("curl"), "-sS", url + "/"]), "Hello, world!")
    trial.expect("/echo", trial.run([find("curl"), "-sS", "-H", "Transfer-Encoding: chunked", "-d", "what I sent", url + "/echo"]), "what I sent")
    trial.expect("status", trial.run([find("curl"), "-sS", "-o", "/dev/null", "-w", "%{http_code}", url + "/none"]), "404")
    said = trial.run([find("wrk"), "-t", "1", "-c", "50", "-d", "1", url + "/"])
    if "Non-2xx" in said or "Socket errors" in said or not re.search(r"[1-9]\d* requests in", said):
        raise Failure("wrk says:\n" + said)


class Chatter:
    """As much of a WebSocket client as a chat takes: texts of less than 126 bytes."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=harness.SECONDS)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall((f"GET /chat HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                             f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n").encode())
        head = b""
        while b"\r\n\r\n" not in head:
            part = self.socket.recv(1)
            if not part:
                raise Failure(f"no handshake: {head!r}")
            head += part
        if not head.startswith(b"HTTP/1.1 101 "):
            raise Failure(f"no handshake: {head!r}")

    def say(self, text):
        data, mask = text.encode(), os.urandom(4)
        self.socket.sendall(struct.pack("!BB", 0x81, 0x80 | len(data)) + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(data)))

    def exactly(self, size):
        data = b""
        while len(data) < size:
            part = self.socket.recv(size - len(data))
            if not part:
                raise Failure("the chat is over")
            data += part
        return data

    def hear(self):
        first, size = self.exactly(2)
        if first != 0x81 or size > 125:
            raise Failure(f"no text: {first:#x}, {size} bytes")
        return self.exactly(size).decode()


@example
def chat(trial, program):
    _, port = serving(trial, program)
    trial.expect("the page", "new WebSocket" in trial.run([find("curl"), "-sS", f"http://127.0.0.1:{port}/"]), True)
    people = [Chatter(port) for _ in range(5)]
    for number, person in enumerate(people):
        person.say(f"here is {number}")
        trial.expect("heard", [other.hear() for other in people], [f"here is {number}"] * len(people))
    people.pop().socket.close()
    people[0].say("who is left?")
    trial.expect("heard", [other.hear() for other in people], ["who is left?"] * len(people))


def main():
    name, program = sys.argv[1], os.path.abspath(sys.argv[2])
    case = harness.Case(name, "", (), 0, None, lambda trial: EXAMPLES[name](trial, program))
    import tempfile
    with tempfile.TemporaryDirectory(prefix="examples-") as common:
        os.chmod(common, 0o755)
        try:
            return 0 if harness.attempt(case, None, common) else 1
        except Skip as reason:
            print(f"SKIP {name}: {reason}")
            return 77


if __name__ == "__main__":
    sys.exit(main())
