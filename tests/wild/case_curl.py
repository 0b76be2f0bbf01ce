"""curl, whose resolver looks each name up in a thread of its own."""

import ctypes
import os
import signal
import socket

from case_python import serve_files
from clients import make_files
from harness import PROGRAMS, PYTHON, Skip, case, find


def name_of_ours():
    """A name for this machine other than localhost, which curl answers without its resolver."""
    names = [socket.gethostname(), "ip6-localhost", "ip6-loopback"]
    with open("/etc/hosts") as hosts:
        names += [name for line in hosts for name in line.partition("#")[0].split()[1:]]
    for name in names:
        if name in ("localhost", "localhost.localdomain"):
            continue
        try:
            with socket.socket(socket.AF_INET) as probe:
                probe.bind((socket.gethostbyname(name), 0))
                return name
        except OSError:
            continue
    raise Skip("no name but localhost in /etc/hosts belongs to this machine")


@case("curl", "curl --parallel: 50 files by a name in /etc/hosts, and from localhost", needs=["curl"])
def curl(trial):
    files = make_files(trial.path("www"))
    port = serve_files(trial, trial.helper, trial.path("www"))
    command = [find("curl"), "--no-progress-meter", "--max-time", "40"]
    for host in (name_of_ours(), "localhost"):
        got = trial.path("got-" + host)
        program = trial.program([*command, "--parallel", "--parallel-immediate", "--parallel-max", "50", "--create-dirs",
                                 "-o", got + "/#1", "-w", "%{http_code} %{size_download}\\n", f"http://{host}:{port}/file[0-{len(files) - 1}]"])
        trial.expect(f"exit status ({host})", program.wait(), 0)
        right = sum(open(f"{got}/{i}", "rb").read() == files[i] for i in range(len(files)))
        trial.expect(f"files ({host})", right, len(files))
        trial.see(f"sizes ({host})", sorted(program.output().split("\n")) == sorted(["", *(f"200 {len(file)}" for file in files)]))
        trial.see(f"complaints ({host})", program.errors())
        if host != "localhost":
            trial.finished(program)


def private_mounts():
    """Whether we may give a program its own /etc/resolv.conf."""
    pid = os.fork()
    if pid == 0:
        os._exit(ctypes.CDLL(None).unshare(0x00020000))  # CLONE_NEWNS
    return os.waitpid(pid, 0)[1] == 0


@case("curl-dns", "curl --parallel: 50 names looked up at once in a slow DNS, and one that nobody has", needs=["curl", "unshare"], threads=40)
def curl_dns(trial):
    if not private_mounts():
        raise Skip("no private mounts here: curl cannot be given a DNS of its own")
    files = make_files(trial.path("www"))
    port = serve_files(trial, trial.helper, trial.path("www"))
    nameserver = "127.77.0.1"
    dns = trial.helper([PYTHON, os.path.join(PROGRAMS, "dns_server.py"), nameserver, "0.5"])
    trial.until_true(lambda: "ready" in dns.output() or not dns.alive(), "the DNS does not start")
    if not dns.alive():
        raise Skip("no DNS on port 53: " + dns.errors().splitlines()[-1])
    trial.write("resolv.conf", f"nameserver {nameserver}\noptions timeout:10 attempts:2\n")
    with open(trial.path("curl.conf"), "w") as conf:
        for i in range(len(files)):
            conf.write(f'url = "http://host{i}.wild.test:{port}/file{i}"\noutput = "{trial.path(f"got{i}")}"\n')
    own_resolv_conf = ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/resolv.conf && exec "$@"', trial.path("resolv.conf")]
    command = [find("curl"), "--no-progress-meter", "--max-time", "40", "-4"]
    program = trial.program([*command, "--parallel", "--parallel-immediate", "--parallel-max", "50", "-K", trial.path("curl.conf")],
                            through=own_resolv_conf)
    trial.expect("exit status", program.wait(), 0)
    trial.expect("files", sum(open(trial.path(f"got{i}"), "rb").read() == files[i] for i in range(len(files))), len(files))
    trial.see("complaints", program.errors())
    trial.finished(program)
    program = trial.program([*command, f"http://nobody.wild.test:{port}/"], through=own_resolv_conf)
    trial.expect("exit status (nobody has the name)", program.wait(), 6)
    trial.see("complaint (nobody has the name)", program.errors())
    dns.stop(signal.SIGTERM)
    # The lookups wait for each other's answers only where somebody blocked the thread they all share.
    asked, together = map(int, dns.output().split()[1:3])
    trial.expect("names asked for at once", (asked, together >= 40), (51, True))
