"""Python's own threaded servers, and a Python program of many threads."""

import os
import signal

from clients import crowd, make_files, sha
from harness import PROGRAMS, PYTHON, Skip, case, free_port


def together(trial):
    """How many clients may ask a server in Python at the same time.

    Natively each thread that waits for the interpreter's lock wakes up 200 times a second: with 1,000 of them a slow machine does
    nothing else. So natively they take turns, with all 1,000 threads there all the time."""
    return 1000 if trial.lib else 100


def serve_files(trial, start, directory):
    """A file server with a backlog for hundreds of clients, for programs that are clients themselves."""
    port = free_port()
    server = start([PYTHON, os.path.join(PROGRAMS, "file_server.py"), str(port), directory])
    trial.until_listening(server, port)
    return port


@case("http-server", "python3 -m http.server: 1,000 connections held, then 1,000 files at once", needs=[PYTHON], threads=1000)
def http_server(trial):
    files = make_files(trial.path("www"))
    for number in (signal.SIGINT, signal.SIGTERM):
        port = free_port()
        server = trial.program([PYTHON, "-m", "http.server", "--bind", "127.0.0.1", "--directory", trial.path("www"), str(port)])
        trial.until_listening(server, port)
        with crowd(trial, port, 1000, follow=server) as clients, crowd(trial, port, 20, follow=server):
            clients.send(lambda i: b"GET /file%d HTTP/1.0\r\n" % (i % len(files)))
            trial.full_load(server, descriptors=1020)
            if number == signal.SIGINT:
                trial.see("files", clients.ask(lambda i: b"Host: localhost\r\n\r\n", lambda c: c.response(),
                                               lambda i: (200, files[i % len(files)]), together(trial)))
                trial.see("connections closed", clients.receive(lambda c: c.rest(), lambda i: b""))
            # Natively the idle connections (SIGTERM: the half-sent requests too) do not keep the server from ending.
            trial.see(f"exit status on {number.name}", server.stop(number))
        trial.see(f"last words on {number.name}", server.output().splitlines()[-1:])
        trial.see(f"log lines on {number.name}", sum("HTTP/1.0\" 200" in line for line in server.errors().splitlines()))


@case("socketserver", "socketserver.ThreadingTCPServer: 1,000 clients, 5 messages each", needs=[PYTHON], threads=1000)
def socketserver(trial):
    port = free_port()
    server = trial.program([PYTHON, os.path.join(PROGRAMS, "socketserver_echo.py"), str(port)])
    trial.until_listening(server, port)
    with crowd(trial, port, 1000) as clients:
        for turn in range(5):
            clients.ask(lambda i: b"client %d says %d\n" % (i, turn), lambda c: c.line(),
                        lambda i: b"%d: CLIENT %d SAYS %d\n" % (turn + 1, i, turn), together(trial))
            if turn == 2:
                trial.full_load(server, descriptors=1000)
        trial.see("replies", 5 * len(clients))
    trial.expect("exit status on SIGTERM", server.stop(), 0)
    trial.see("total", server.output())


@case("requests", "500 threading.Threads using python3-requests at once", needs=[PYTHON], threads=500)
def requests(trial):
    try:
        trial.run([PYTHON, "-c", "import requests"])
    except Exception:
        raise Skip("not installed: python3-requests") from None
    files = make_files(trial.path("www"))
    port = serve_files(trial, trial.helper, trial.path("www"))
    program = trial.program([PYTHON, os.path.join(PROGRAMS, "requests_threads.py"), f"http://127.0.0.1:{port}", "500", str(len(files))])
    trial.expect("exit status", program.wait(), 0)
    lines = program.output().splitlines()
    trial.expect("files", sum(line == f"{i} 200 {sha(files[i % len(files)])}" for i, line in enumerate(lines[:500])), 500)
    trial.see("last line", lines[-1])
    trial.see("output", sha(program.output().encode()))
    trial.see("complaints", program.errors())
    trial.finished(program)
