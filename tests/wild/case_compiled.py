"""Servers and programs of other languages' standard libraries, built here by their own compilers."""

import os

from clients import crowd
from harness import HERE, PROGRAMS, case, find, free_port

RUST = os.path.join(HERE, "..", "programs", "tpc.rs")


def build(trial, name, argv):
    """Builds once for both trials."""
    program = os.path.join(trial.common, name)
    if not os.path.exists(program):
        trial.run([*argv, "-o", program], env=dict(os.environ))
    return program


@case("rust", "a Rust std::net server, thread per connection: 1,000 clients at once", needs=["rustc"], threads=1000)
def rust(trial):
    program = build(trial, "tpc", [find("rustc"), "--edition", "2021", "-O", os.path.realpath(RUST)])
    port = free_port()
    server = trial.program([program, str(port)])
    trial.until_listening(server, port)
    with crowd(trial, port, 1000) as clients:
        clients.send(lambda i: b"word ward%d\n" % i)
        clients.receive(lambda c: c.line(), lambda i: b"1 " + (b"ward%d" % i)[::-1] + b"\n")
        trial.full_load(server, descriptors=1000)
        clients.send(lambda i: b"wait\nword again\n")
        clients.receive(lambda c: c.line(), lambda i: b"2 waited\n")
        trial.see("words", clients.receive(lambda c: c.line(), lambda i: b"3 niaga\n"))
        clients.send(lambda i: b"name\n" if i else b"panic\n")
        clients[0].rest()
        names = {clients[i].line() for i in range(1, 1000)}
        trial.expect("threads with a name of their own", len(names), 999)
        clients[1].send(b"total\n")
        trial.see("total", clients[1].line())
        clients[1].send(b"end\n")
        trial.see("end", clients[1].line())
    trial.expect("exit status", server.wait(), 0)
    trial.see("output", server.output())


@case("cxx-server", "a C++ std::thread server with std::async in it: 1,000 clients at once", needs=["g++"], threads=1000)
def cxx_server(trial):
    source = os.path.join(PROGRAMS, "cxx_server.cpp")
    program = build(trial, "cxx_server", [find("g++"), "-std=c++20", "-O2", "-Wall", "-pthread", source])
    port = free_port()
    server = trial.program([program, str(port)])
    trial.until_listening(server, port)
    with crowd(trial, port, 1000) as clients:
        for turn in range(3):
            clients.send(lambda i: b"%d %d\n" % (i, turn))
            clients.receive(lambda c: c.line(), lambda i: b"%d: %d\n" % (turn + 1, i * i + turn))
            if turn == 1:
                trial.full_load(server, descriptors=1000)
        trial.see("replies", 3 * len(clients))
    trial.expect("exit status on SIGTERM", server.stop(), 0)
    trial.see("output", server.output())


@case("cxx-program", "C++ std::thread, async, futures, latches, semaphores, atomic::wait", needs=["g++"], threads=100)
def cxx_program(trial):
    source = os.path.join(PROGRAMS, "cxx_threads.cpp")
    program = build(trial, "cxx_threads", [find("g++"), "-std=c++20", "-O2", "-Wall", "-pthread", source])
    run = trial.program([program])
    trial.expect("exit status", run.wait(), 0)
    for line in run.output().splitlines():
        name, _, value = line.partition(": ")
        trial.see(name, value)
    trial.see("complaints", run.errors())
    trial.finished(run)
