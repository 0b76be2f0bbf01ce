"""PostgreSQL's threaded client pgbench, and MariaDB's server with a thread per connection."""

import os
import pwd
import re
import signal
import struct

from clients import crowd
from harness import Failure, Skip, as_user, case, find, free_port


def unprivileged(*names):
    """The user for a program that refuses to run as root; None when we are not root."""
    if os.geteuid():
        return None
    for name in (*names, "nobody"):
        try:
            return pwd.getpwnam(name).pw_uid
        except KeyError:
            pass
    raise Skip("no user to run as")


def postgres(trial):
    """Starts a fresh PostgreSQL, natively; returns its directory of programs and its port."""
    programs = os.path.dirname(find("/usr/lib/postgresql/*/bin/initdb"))
    user, data, port = unprivileged("postgres"), trial.path("data"), free_port()
    os.mkdir(data, 0o700)
    if user:
        os.chown(data, user, -1)
    template = os.path.join(trial.common, "data")
    if not os.path.exists(template):
        trial.run([programs + "/initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"], **as_user(user))
        trial.run(["cp", "-a", data, template])
    else:
        trial.run(["cp", "-a", template + "/.", data])
    server = trial.helper([programs + "/postgres", "-D", data, "-p", str(port), "-h", "127.0.0.1", "-c", "max_connections=200",
                           "-c", f"unix_socket_directories={data}", "-c", "fsync=off", "-c", "shared_buffers=32MB",
                           "-c", "autovacuum=off", "-c", "max_wal_size=256MB"],
                          user=user, goodbye=signal.SIGINT)  # Killed, it would leave its SysV segment to the machine.
    trial.until_listening(server, port)
    trial.until_true(lambda: "ready to accept connections" in server.errors(), "PostgreSQL does not get ready")
    return programs, port, data


@case("pgbench", "pgbench -j 8 -c 64 against PostgreSQL", needs=["/usr/lib/postgresql/*/bin/pgbench"], threads=8)
def pgbench(trial):
    programs, port, data = postgres(trial)

    def ask(question):
        return trial.run([programs + "/psql", "-h", "127.0.0.1", "-p", str(port), "-U", "postgres", "-XAtqc", question, "bench"]).strip()

    trial.run([programs + "/createdb", "-h", "127.0.0.1", "-p", str(port), "-U", "postgres", "bench"])
    trial.run([programs + "/pgbench", "-h", "127.0.0.1", "-p", str(port), "-U", "postgres", "-i", "-q", "-s", "2", "bench"])

    def bench(what, host, *options):
        program = trial.program([programs + "/pgbench", "-h", host, "-p", str(port), "-U", "postgres", "-n", "-j", "8", "-c", "64", *options, "bench"])
        status = program.wait()
        said = program.output() + program.errors()
        for name, pattern in (("transactions", r"actually processed: (\S+)"), ("failed", r"failed transactions: (\S+)"),
                              ("threads", r"number of threads: (\d+)")):
            found = re.search(pattern, said)
            trial.see(f"{what}: {name}", found and found[1])
        trial.see(f"{what}: errors", [line for line in said.splitlines() if "error" in line.lower() or "fatal" in line.lower()])
        trial.expect(f"{what}: exit status", status, 0)
        trial.finished(program)

    bench("tpcb", "127.0.0.1", "-t", "40")
    trial.expect("rows of history", ask("select count(*) from pgbench_history"), "2560")
    trial.expect("the books balance", ask("select (select sum(delta) from pgbench_history) = (select sum(abalance) from pgbench_accounts) "
                                          "and (select sum(bbalance) from pgbench_branches) = (select sum(tbalance) from pgbench_tellers)"), "t")
    bench("prepared select", data, "-S", "-M", "prepared", "-t", "100")
    bench("a connection per transaction", "127.0.0.1", "-S", "-C", "-t", "5")


class Mysql:
    """As much of MariaDB's protocol as it takes to log in and to ask."""

    def __init__(self, connection):
        self.connection = connection

    def packet(self):
        head = self.connection.exactly(4)
        data = self.connection.exactly(head[0] | head[1] << 8 | head[2] << 16)
        if data[:1] == b"\xff":
            raise Failure(f"MariaDB says {data[3:120]!r}")
        return data

    def login(self, user):
        self.packet()  # the greeting
        flags = 0x1 | 0x200 | 0x8000 | 0x2000 | 0x80000
        data = struct.pack("<IIB23x", flags, 1 << 24, 45) + user.encode() + b"\0\0mysql_native_password\0"
        self.connection.send(struct.pack("<I", len(data))[:3] + b"\1" + data)

    def ask(self, question):
        data = b"\x03" + question.encode()
        self.connection.send(struct.pack("<I", len(data))[:3] + b"\0" + data)

    def answer(self):
        """The first column of the first row, or None for a statement without rows."""
        columns = self.packet()
        if columns[0] == 0:
            return None
        for _ in range(columns[0]):
            self.packet()
        self.packet()
        row, value = self.packet(), None
        while row[0] != 0xFE:
            value = value or row[1:1 + row[0]].decode()
            row = self.packet()
        return value


@case("mariadb", "mariadbd, a thread per connection: 200 clients at once, then mysqlslap",
      needs=["mariadbd", "mariadb-install-db"], threads=200)
def mariadb(trial):
    user, data, port = unprivileged("mysql"), trial.path("data"), free_port()
    template, run_as = os.path.join(trial.common, "data"), pwd.getpwuid(user or os.geteuid()).pw_name
    if not os.path.exists(template):
        os.mkdir(template)
        if user:
            os.chown(template, user, -1)
        trial.run([find("mariadb-install-db"), "--no-defaults", f"--user={run_as}", f"--datadir={template}",
                   "--auth-root-authentication-method=normal", "--skip-test-db"])
    trial.run(["cp", "-a", template, data])
    server = trial.program([find("mariadbd"), "--no-defaults", f"--datadir={data}", f"--socket={data}/sock", f"--pid-file={data}/pid",
                            f"--port={port}", "--bind-address=127.0.0.1", "--max-connections=400", "--back-log=512", "--skip-log-bin",
                            "--innodb-buffer-pool-size=32M", "--innodb-log-file-size=16M", "--innodb-use-native-aio=0",
                            "--innodb-flush-log-at-trx-commit=0", "--thread-handling=one-thread-per-connection", "--skip-name-resolve"], user=user)
    trial.until_listening(server, port)
    with crowd(trial, port, 200) as connections:
        clients = [Mysql(connection) for connection in connections]
        for client in clients:
            client.login("root")
        trial.see("logged in", sum(client.packet()[0] == 0 for client in clients))
        trial.full_load(server, descriptors=200)
        clients[0].ask("create database d")
        clients[0].answer()
        clients[0].ask("create table d.t (a int primary key, b int) engine=innodb")
        clients[0].answer()
        for i, client in enumerate(clients):
            client.ask(f"insert into d.t values ({i}, {i * i})")
        for client in clients:
            client.answer()
        for i, client in enumerate(clients):
            client.ask(f"select sleep(0.1) + b from d.t where a = {i}")
        trial.see("rows found", sum(client.answer() == str(i * i) for i, client in enumerate(clients)))
        # Everybody wants the same row: they wait for each other inside InnoDB.
        for client in clients:
            client.ask("update d.t set b = b + 1 where a = 0")
        for client in clients:
            client.answer()
        clients[0].ask("select b from d.t where a = 0")
        trial.expect("updates of one row", clients[0].answer(), "200")
        clients[0].ask("select get_lock('l', 5)")
        clients[0].answer()
        clients[1].ask("select get_lock('l', 0.05)")
        trial.see("a lock held by another", clients[1].answer())
    slap = trial.run([find("mariadb-slap", "mysqlslap"), "--no-defaults", "-h", "127.0.0.1", "-P", str(port), "-u", "root", "--concurrency=100",
                      "--number-of-queries=2000", "--auto-generate-sql", "--auto-generate-sql-load-type=mixed", "--engine=innodb"])
    trial.see("mysqlslap's clients", "Number of clients running queries: 100" in slap)
    trial.expect("exit status on SIGTERM", server.stop(), 0)
    trial.see("errors logged", [line for line in server.errors().splitlines() if "[ERROR]" in line])
