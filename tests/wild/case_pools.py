"""Servers with a pool of threads: proxies, a name server, a directory, a log, and the runtimes of JavaScript, Ruby and Java."""

import contextlib
import os

from case_python import serve_files
from clients import crowd, make_files
from harness import PROGRAMS, Failure, case, family, find, free_port


@contextlib.contextmanager
def served(trial, port, count, files):
    """`count` clients that ask for a file each, all at once, and then for another one; they stay connected."""
    with crowd(trial, port, count) as clients:
        for turn in range(2):
            clients.send(lambda i: b"GET /file%d HTTP/1.1\r\nHost: localhost\r\n\r\n" % ((i + turn) % len(files)))
            trial.see(f"files, turn {turn}", clients.receive(lambda c: c.response(), lambda i: (200, files[(i + turn) % len(files)])))
        yield


def file_proxy(trial, start):
    """A server that fetches its files from another one: start(origin's port, port)."""
    files = make_files(trial.path("www"))
    origin = serve_files(trial, trial.helper, trial.path("www"))
    port = free_port()
    server = start(origin, port)
    trial.until_listening(server, port)
    return server, port, files


@case("haproxy", "haproxy with nbthread 4: 300 clients at once", needs=["haproxy"], threads=4)
def haproxy(trial):
    def start(origin, port):
        return trial.program([find("haproxy"), "-db", "-f", trial.write("haproxy.cfg", f"""
global
  nbthread 4
defaults
  mode http
  timeout connect 60s
  timeout client 60s
  timeout server 60s
listen files
  bind 127.0.0.1:{port}
  server origin 127.0.0.1:{origin}
""")])

    server, port, files = file_proxy(trial, start)
    with served(trial, port, 300, files):
        trial.full_load(server, descriptors=300)
    trial.see("exit status on SIGTERM", server.stop())
    trial.see("complaints", server.errors())


@case("varnish", "varnishd, a thread for each of 200 requests, its cache in a child", needs=["varnishd", "gcc"], threads=100)
def varnish(trial):
    def start(origin, port):
        return trial.program([find("varnishd"), "-F", "-j", "none", "-n", trial.path("varnish"), "-a", f"127.0.0.1:{port}",
                              "-b", f"127.0.0.1:{origin}", "-s", "malloc,50m"])

    server, port, files = file_proxy(trial, start)
    with served(trial, port, 200, files):
        cache = family(server.pid)[1]
        trial.load = len(os.listdir(f"/proc/{cache}/task"))
        if trial.lib:
            trial.in_process(server, cache)
            trial.limit(server, trial.load)
        elif trial.load < trial.case.threads:
            raise Failure(f"natively {trial.load} kernel threads, and not {trial.case.threads}")
    trial.see("exit status on SIGTERM", server.stop())


@case("named", "BIND's named: 200 questions by TCP, 200 by UDP", needs=["named", "dig"], threads=4)
def named(trial):
    port = free_port()
    trial.write("zone", "$TTL 1\n@ SOA ns hostmaster 1 1 1 1 1\n@ NS ns\nns A 127.0.0.1\n"
          + "".join(f"host{i} A 10.0.0.{i}\n" for i in range(200)))
    server = trial.program([find("named"), "-g", "-n", "4", "-c", trial.write("named.conf", f"""
options {{
  directory "{trial.dir}"; pid-file "named.pid"; session-keyfile "session.key"; recursion no; dnssec-validation no;
  listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
}};
controls {{}};
zone "example" {{ type master; file "zone"; }};
""")])
    # It listens before it knows its zones.
    trial.until_true(lambda: "all zones loaded" in server.errors(), "named does not load its zones")
    questions = trial.write("questions", "".join(f"host{i}.example\n" for i in range(200)))
    # A UDP socket with the server's own port, one of the ephemeral ones, would ask itself.
    for transport in (["+tcp"], ["+notcp", "-b", f"127.0.0.1#{free_port()}"]):
        answers = trial.run([find("dig"), "@127.0.0.1", "-p", str(port), *transport, "+short", "+time=30", "-f", questions])
        right = answers.split() == [f"10.0.0.{i}" for i in range(200)]
        trial.expect(f"answers {transport[0]}", "all" if right else answers, "all")
    trial.full_load(server)
    trial.expect("exit status on SIGTERM", server.stop(), 0)


@case("slapd", "OpenLDAP's slapd with 16 threads: 200 entries added, found by 20 clients at once", needs=["slapd", "ldapsearch"], threads=3)
def slapd(trial):
    port = free_port()
    os.mkdir(trial.path("database"))
    server = trial.program([find("slapd"), "-d", "0", "-h", f"ldap://127.0.0.1:{port}", "-f", trial.write("slapd.conf", f"""
include /etc/ldap/schema/core.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {trial.path("slapd.pid")}
threads 16
database mdb
maxsize 10000000
suffix dc=example
rootdn cn=admin,dc=example
rootpw secret
directory {trial.path("database")}
""")])
    trial.until_listening(server, port)
    at = ["-x", "-H", f"ldap://127.0.0.1:{port}"]
    entries = trial.write("entries", "dn: dc=example\nobjectClass: organization\nobjectClass: dcObject\ndc: example\no: example\n\n" + "".join(
        f"dn: cn=user{i},dc=example\nobjectClass: person\ncn: user{i}\nsn: name{i}\n\n" for i in range(200)))
    added = trial.run([find("ldapadd"), *at, "-D", "cn=admin,dc=example", "-w", "secret", "-f", entries])
    trial.expect("added", added.count("adding new entry"), 201)
    searches = [trial.helper([find("ldapsearch"), *at, "-LLL", "-b", "dc=example", f"(sn=name{i}*)", "cn"]) for i in range(20)]
    trial.see("found", [(search.wait(), search.output().count("cn: ")) for search in searches])
    trial.full_load(server)
    trial.expect("exit status on SIGTERM", server.stop(), 0)


@case("rsyslog", "rsyslogd with 4 workers: 100 connections with 20 messages each", needs=["rsyslogd"], threads=3)
def rsyslog(trial):
    port = free_port()
    server = trial.program([find("rsyslogd"), "-n", "-i", trial.path("rsyslogd.pid"), "-f", trial.write("rsyslog.conf", f"""
module(load="imtcp")
input(type="imtcp" port="{port}" address="127.0.0.1")
main_queue(queue.workerThreads="4" queue.workerThreadMinimumMessages="10")
template(name="plain" type="string" string="%msg%\\n")
action(type="omfile" file="{trial.path("messages")}" template="plain")
""")])
    trial.until_listening(server, port)
    with crowd(trial, port, 100, follow=server) as clients:
        # Its backlog is short: what it has not heard of is a connection when it gets data.
        clients.send(lambda i: b"".join(b"<13>Nov 21 12:00:00 host tag: client %d message %d\n" % (i, j) for j in range(20)))
        trial.full_load(server, descriptors=100)

    def messages():
        if not os.path.exists(trial.path("messages")):
            return []
        with open(trial.path("messages")) as file:
            return sorted(line.strip() for line in file if "client" in line)

    trial.until_true(lambda: len(messages()) >= 2000, lambda: f"{len(messages())} of 2000 messages are in the file")
    trial.expect("messages", messages() == sorted(f"client {i} message {j}" for i in range(100) for j in range(20)), True)
    # Its end is no fact: natively SIGTERM now and then leads to a SIGSEGV.


def runtime(trial, argv, count):
    """A file server in a language with a runtime of its own."""
    files = make_files(trial.path("www"))
    port = free_port()
    server = trial.program([word.format(port=port, www=trial.path("www")) for word in argv])
    trial.until_listening(server, port)
    with served(trial, port, count, files):
        trial.full_load(server, descriptors=count)
    trial.see("exit status on SIGTERM", server.stop())
    trial.see("complaints", server.errors())


@case("node", "Node.js, whose files are read by libuv's pool: 300 clients at once", needs=["node"], threads=8)
def node(trial):
    runtime(trial, [find("node"), os.path.join(PROGRAMS, "file_server.js"), "{port}", "{www}"], 300)


@case("ruby", "Ruby, a Thread for each of 100 clients", needs=["ruby"], threads=100)
def ruby(trial):
    runtime(trial, [find("ruby"), os.path.join(PROGRAMS, "file_server.rb"), "{port}", "{www}"], 100)


@case("java", "Java, a Thread for each of 200 clients", needs=["java", "javac"], threads=200)
def java(trial):
    if not os.path.exists(os.path.join(trial.common, "FileServer.class")):
        trial.run([find("javac"), "-d", trial.common, os.path.join(PROGRAMS, "FileServer.java")])
    runtime(trial, [find("java"), "-XX:-UsePerfData", "-cp", trial.common, "FileServer", "{port}", "{www}"], 200)
