"""curl, whose resolver looks each name up in a thread of its own."""

import os
import socket

from case_python import serve_files
from clients import make_files
from harness import Skip, case, find


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


@case("curl", "curl --parallel: 50 files by name, and a name that nobody has", needs=["curl"])
def curl(trial):
    os.mkdir(trial.path("www"))
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
    program = trial.program([*command, f"http://no-such-host.invalid:{port}/"])
    trial.see("exit status (no such host)", program.wait())
    trial.see("complaint (no such host)", program.errors())
