"""Allocators other than libc's and the run-times of sanitizers, linked and preloaded, in a program of 200 threads."""

import os

from harness import PROGRAMS, Skip, case, find

SOURCE = os.path.join(PROGRAMS, "allocators.c")
OPENMP = os.path.join(PROGRAMS, "../../programs/openmp.c")
LIBRARIES = "/usr/lib/x86_64-linux-gnu"


def library(name):
    path = os.path.join(LIBRARIES, name)
    if not os.path.exists(path):
        raise Skip(f"there is no {path}")
    return path


def compare(trial, name, options=(), preloads="{}", source=SOURCE):
    program = os.path.join(trial.dir, name)
    trial.run([find("gcc"), "-O1", "-g", "-Wall", "-pthread", source, *options, "-o", program], env=dict(os.environ))
    run = trial.program([program], preloads=preloads)
    trial.expect(f"{name}: exit status", run.wait(), 0)
    trial.see(f"{name}: output", run.output())
    trial.see(f"{name}: complaints", run.errors())
    trial.finished(run)


@case("allocators", "jemalloc and tcmalloc, linked, and preloaded before and after guv", needs=["gcc"])
def allocators(trial):
    for name in ("libjemalloc.so.2", "libtcmalloc_minimal.so.4"):
        path = library(name)
        compare(trial, f"linked-{name}", options=["-Wl,--no-as-needed", path])
        compare(trial, f"before-{name}", preloads=f"{path}:{{}}")
        compare(trial, f"after-{name}", preloads=f"{{}}:{path}")


# AddressSanitizer insists on being first: guv-run sees to that, and so do we.
@case("sanitizers", "programs built with -fsanitize=address, one with OpenMP too, and with undefined", needs=["gcc"])
def sanitizers(trial):
    asan = os.path.realpath(trial.run([find("gcc"), "-print-file-name=libasan.so"], env=dict(os.environ)).strip())
    compare(trial, "address", options=["-fsanitize=address"], preloads=f"{asan}:{{}}")
    compare(trial, "address-openmp", options=["-fsanitize=address", "-fopenmp"], preloads=f"{asan}:{{}}", source=OPENMP)
    compare(trial, "undefined", options=["-fsanitize=undefined", "-fno-sanitize-recover"])
