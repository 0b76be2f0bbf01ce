"""stunnel4, a thread per connection, as server and as client, with OpenSSL in those threads."""

import os
import ssl

from clients import content, crowd
from harness import PROGRAMS, PYTHON, case, find, free_port


def certificate(trial):
    """A self-signed certificate and its key in one file, made once for both trials."""
    pem = os.path.join(trial.common, "cert.pem")
    if not os.path.exists(pem):
        key, crt = os.path.join(trial.common, "key"), os.path.join(trial.common, "crt")
        trial.run([find("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                   "-keyout", key, "-out", crt, "-days", "30", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"])
        with open(pem, "w") as file:
            file.write(open(key).read() + open(crt).read())
    return pem


def echo(trial):
    port = free_port()
    trial.until_listening(trial.helper([PYTHON, os.path.join(PROGRAMS, "echo_server.py"), str(port)]), port)
    return port


def stunnel(trial, name, **service):
    """Starts one stunnel service; returns the program and its port."""
    port = free_port()
    conf = trial.path(name + ".conf")
    options = {"accept": f"127.0.0.1:{port}", "TIMEOUTidle": 600, **service}
    with open(conf, "w") as file:
        file.write("foreground = yes\npid =\nsyslog = no\ndebug = notice\n")
        file.write(f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in options.items()))
    program = trial.program([find("stunnel4"), conf])
    trial.until_listening(program, port)
    return program, port


def converse(trial, clients, programs):
    """Messages of several sizes there and back on all connections, which stay open in between."""
    for size in (16, 1, 16000):
        clients.send(lambda i: content(i, size))
        trial.see(f"echoes of {size} bytes", clients.receive(lambda c: c.exactly(size), lambda i: content(i, size)))
    for program in programs:
        trial.full_load(program, descriptors=2 * len(clients))


@case("stunnel", "stunnel4 as a TLS server: 500 clients at once", needs=["stunnel4", "openssl"], threads=500)
def stunnel_server(trial):
    pem = certificate(trial)
    server, port = stunnel(trial, "server", cert=pem, connect=f"127.0.0.1:{echo(trial)}")
    descriptors, threads = server.descriptors(), server.tasks()
    context = ssl.create_default_context(cafile=pem)

    def wrap(sock):
        return context.wrap_socket(sock, server_hostname="localhost")

    with crowd(trial, port, 500, wrap=wrap) as clients:
        converse(trial, clients, [server])
        # A clean end: close_notify is answered by close_notify.
        for client in clients[:100]:
            client.sock.unwrap()
            client.sock.close()
        trial.settled(server, descriptors + 2 * 400, threads + 400)
        trial.see("clean ends", 100)
        trial.see("exit status on SIGTERM", server.stop())


@case("stunnel-client", "stunnel4 as a TLS client of a stunnel4 server: 300 connections at once", needs=["stunnel4", "openssl"], threads=300)
def stunnel_client(trial):
    pem = certificate(trial)
    server, tls = stunnel(trial, "server", cert=pem, connect=f"127.0.0.1:{echo(trial)}")
    client, port = stunnel(trial, "client", client="yes", connect=f"localhost:{tls}", CAfile=pem, verifyPeer="yes", delay="yes")
    rest = [(program, program.descriptors(), program.tasks()) for program in (client, server)]
    with crowd(trial, port, 300) as clients:
        converse(trial, clients, [client, server])
    for program, descriptors, threads in rest:
        trial.settled(program, descriptors, threads)
    trial.see("client's exit status on SIGTERM", client.stop())
    trial.see("server's exit status on SIGTERM", server.stop())
