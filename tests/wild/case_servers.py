"""Servers in C: Apache's worker, memcached, Redis with I/O threads, tinyproxy."""

import os

from case_python import serve_files
from clients import content, crowd, make_files
from harness import case, family, find, free_port


APACHE = """
ServerRoot {dir}
ServerName localhost
PidFile {dir}/httpd.pid
ErrorLog {dir}/error.log
DefaultRuntimeDir {dir}
LoadModule mpm_worker_module {modules}/mod_mpm_worker.so
LoadModule authz_core_module {modules}/mod_authz_core.so
{user}
Listen 127.0.0.1:{port}
ServerLimit 1
StartServers 1
ThreadLimit 256
ThreadsPerChild 256
MaxRequestWorkers 256
MinSpareThreads 25
MaxSpareThreads 256
KeepAlive On
KeepAliveTimeout 60
MaxKeepAliveRequests 0
DocumentRoot {dir}/www
"""


@case("apache-worker", "apache2 with mpm_worker: 200 keep-alive connections at once", needs=["apache2"], threads=200)
def apache(trial):
    modules = find("/usr/lib/apache2/modules")
    files = make_files(trial.path("www"))
    port = free_port()
    user = "" if os.geteuid() else "User www-data\nGroup www-data"
    configuration = trial.write("apache.conf", APACHE.format(dir=trial.dir, modules=modules, port=port, user=user))
    server = trial.program([find("apache2"), "-f", configuration, "-D", "FOREGROUND"])
    trial.until_listening(server, port)
    with crowd(trial, port, 200) as clients:
        for turn in range(3):
            clients.send(lambda i: b"GET /file%d HTTP/1.1\r\nHost: localhost\r\n\r\n" % ((i + turn) % len(files)))
            clients.receive(lambda c: c.response(), lambda i: (200, files[(i + turn) % len(files)]))
        # The parent has no threads of its own; its child has the workers.
        workers = family(server.pid)[1:]
        tasks = [len(os.listdir(f"/proc/{pid}/task")) for pid in workers]
        trial.load = max(tasks)
        trial.expect("worker processes", len(workers), 1)
        if trial.lib:
            trial.in_process(server, workers[0])
            trial.limit(server, max(tasks))
        else:
            trial.until_true(lambda: len(os.listdir(f"/proc/{workers[0]}/task")) >= 200, "natively fewer than 200 threads")
        trial.see("files", 3 * len(clients))
        # A client that asks for something missing, one that closes, and one that sends nonsense.
        clients[0].send(b"GET /missing HTTP/1.1\r\nHost: localhost\r\n\r\n")
        trial.see("missing file", clients[0].response()[0])
        clients[1].send(b"GET /file2 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        trial.see("closing", clients[1].response()[0])
        trial.expect("closed", clients[1].rest(), b"")
        clients[2].send(b"NONSENSE\r\n\r\n")
        trial.see("nonsense", clients[2].response()[0])
    trial.expect("exit status on SIGTERM", server.stop(), 0)
    with open(trial.path("error.log")) as log:
        lines = log.read()
    trial.see("errors logged", lines.count(":error]") + lines.count(":crit]") + lines.count(":alert]"))


@case("memcached", "memcached -t 4: 500 connections at once", needs=["memcached"], threads=5)
def memcached(trial):
    port = free_port()
    server = trial.program([find("memcached"), "-l", "127.0.0.1", "-p", str(port), "-U", "0", "-t", "4", "-c", "1024",
                            *([] if os.geteuid() else ["-u", "nobody"])])
    trial.until_listening(server, port)

    def value(i):
        return content(i, 100 + 13 * i)

    def found(i):
        return b"VALUE key%d 0 %d\r\n%s\r\nEND\r\n" % (i, len(value(i)), value(i))

    with crowd(trial, port, 500) as clients:
        clients.send(lambda i: b"set key%d 0 0 %d\r\n%s\r\n" % (i, len(value(i)), value(i)))
        trial.see("stored", clients.receive(lambda c: c.line(), lambda i: b"STORED\r\n"))
        clients.send(lambda i: b"get key%d\r\n" % ((i + 1) % 500))
        trial.see("found", clients.receive(lambda c: c.until(b"\r\nEND\r\n"), lambda i: found((i + 1) % 500)))
        clients[0].send(b"set n 0 0 1\r\n0\r\n")
        clients[0].line()
        clients.send(lambda i: b"incr n 1\r\n")
        trial.expect("increments", sorted(int(client.line()) for client in clients) == list(range(1, 501)), True)
        trial.full_load(server, descriptors=500)
        clients[0].send(b"stats\r\n")
        stats = dict(line.split(" ")[1:3] for line in clients[0].until(b"END\r\n").decode().split("\r\n") if line.startswith("STAT"))
        for name in ("curr_items", "cmd_set", "get_hits", "incr_hits", "threads"):
            trial.see(name, stats[name])
        # expiry needs memcached's clock, which is libevent's timer in the main thread
        clients[0].send(b"set brief 0 1 1\r\nx\r\n")
        clients[0].line()

        def gone():
            clients[0].send(b"get brief\r\n")
            return clients[0].until(b"END\r\n") == b"END\r\n"

        trial.until_true(gone, "an item with one second to live does not expire")
    trial.see("exit status on SIGTERM", server.stop())


@case("redis", "redis-server: 500 connections, background threads, a forked child", needs=["redis-server"], threads=4)
def redis(trial):
    redis_server(trial)


@case("redis-io-threads", "redis-server --io-threads 4: 500 connections at once", needs=["redis-server"], threads=7)
def redis_io_threads(trial):
    redis_server(trial, "--io-threads", "4", "--io-threads-do-reads", "yes")


def redis_server(trial, *options):
    port = free_port()
    server = trial.program([find("redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--dir", trial.dir, "--save", "", "--appendonly", "yes",
                            *options])
    trial.until_listening(server, port)

    def command(*words):
        words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)

    def bulk(client):
        return client.exactly(int(client.line()[1:]) + 2)[:-2]

    with crowd(trial, port, 500) as clients:
        clients.send(lambda i: command("SET", f"key{i}", content(i, 50 * i)))
        trial.see("stored", clients.receive(lambda c: c.line(), lambda i: b"+OK\r\n"))
        for _ in range(5):
            clients.send(lambda i: command("INCR", "n") * 4)
            for _ in range(4):
                clients.receive(lambda c: c.line()[:1], lambda i: b":")
        clients.send(lambda i: command("GET", f"key{(i + 1) % 500}"))
        trial.see("found", clients.receive(bulk, lambda i: content((i + 1) % 500, 50 * ((i + 1) % 500))))
        trial.full_load(server, descriptors=500)
        clients[0].send(command("GET", "n"))
        trial.expect("increments", bulk(clients[0]), b"10000")
        # Blocking pops with a time-out, a push that wakes one, background deletion, and a save in a forked child.
        clients.send(lambda i: command("BLPOP", "list", "0.2") if i else b"")
        clients[0].send(command("RPUSH", "list", *range(100)))
        clients[0].line()
        first = [client.line() for client in clients[1:]]
        trial.expect("popped", first.count(b"*2\r\n"), 100)
        trial.expect("gave up", first.count(b"*-1\r\n"), 399)
        clients[0].send(command("FLUSHALL", "ASYNC") + command("SET", "after", 1) + command("BGREWRITEAOF"))
        trial.see("flushed", [clients[0].line() for _ in range(3)])

        def rewritten():
            clients[0].send(command("INFO", "persistence"))
            info = bulk(clients[0])
            return b"aof_rewrite_in_progress:0" in info and b"aof_rewrite_scheduled:0" in info and b"aof_last_bgrewrite_status:ok" in info

        trial.until_true(rewritten, "BGREWRITEAOF does not finish")
    trial.expect("exit status on SIGTERM", server.stop(), 0)
    trial.see("aof", sorted(name.replace(".1.", ".N.").replace(".2.", ".N.") for name in os.listdir(trial.path("appendonlydir"))))


@case("tinyproxy", "tinyproxy: 100 clients at once through a thread each", needs=["tinyproxy"], threads=100)
def tinyproxy(trial):
    files = make_files(trial.path("www"))
    origin = serve_files(trial, trial.helper, trial.path("www"))
    port = free_port()
    configuration = trial.write("tinyproxy.conf", f"Port {port}\nListen 127.0.0.1\nTimeout 60\nMaxClients 200\nLogLevel Critical\n")
    server = trial.program([find("tinyproxy"), "-d", "-c", configuration])
    trial.until_listening(server, port)
    with crowd(trial, port, 100) as idle, crowd(trial, port, 100) as clients:
        idle.send(lambda i: b"GET ")
        clients.send(lambda i: b"CONNECT 127.0.0.1:%d HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" % origin)
        clients.receive(lambda c: c.until(b"\r\n\r\n").split()[1], lambda i: b"200")
        trial.full_load(server, descriptors=300)
        for turn in range(2):
            clients.send(lambda i: b"GET /file%d HTTP/1.1\r\nHost: localhost\r\n\r\n" % ((i + turn) % len(files)))
            clients.receive(lambda c: c.response(), lambda i: (200, files[(i + turn) % len(files)]))
        trial.see("files through CONNECT", 2 * len(clients))
        idle.send(lambda i: b"http://localhost:%d/file%d HTTP/1.0\r\n\r\n" % (origin, i % len(files)))
        trial.see("files through GET", idle.receive(lambda c: c.response(), lambda i: (200, files[i % len(files)])))
    # A signal to the process goes to the initial thread when that does not block it, however many other threads there are.
    # tinyproxy relies on it: its handler sets a flag, which the main thread sees when its poll is interrupted.
    trial.see("exit status on SIGTERM", server.stop())
