#!/usr/bin/env python3
"""glibc's own tests (Debian's source package), natively and under guv, on the system's libc.

Those about threads, processes, signals and calls that wait. Each is compiled alone, against the public headers and a library
of glibc's support/; what needs glibc's own headers, or a build of it, does not compile and is left out.
"""

import dataclasses
import functools
import glob
import os
import re
import shlex
import subprocess
import sys

import suite

# Every test of the first folders; of the others those that call something that guv has a part in.
THREADS = ("nptl", "sysdeps/pthread", "rt", "signal", "setjmp")
OTHERS = ("posix", "io", "socket", "resolv", "nss", "stdio-common", "misc", "time", "dlfcn", "elf", "stdlib", "libio", "inet",
          "debug", "malloc", "login", "string", "sysvipc", "support", "sysdeps/unix/sysv/linux")
CALLS = ("pthread_.+", "thrd_.+", "fork", "vfork", ".*posix_spawn.*", "popen", "system", "exec[vl].*", "wait.*", "alarm",
         "signal", "sigaction",
         "sigwait.*", "sigsuspend", "sigaltstack", "raise", "abort", "poll", "ppoll", "p?select", "epoll.*",
         "accept4?", "recv.*", "send.*", "connect", "pipe2?", "mkfifo", ".*sleep", "timer.*", "setitimer", "getaddrinfo",
         "resolv_test_.+", "mq_.+", "sem_.+", "aio_.+", "lockf(64)?", "flock", "syslog", ".*exit", "getrandom", "dlopen",
         ".*splice", "tee", "copy_file_range", "pidfd.*", "clone3?", "preadv2?", "pwritev2?")
CONCERNED = re.compile(rf"\bx?({'|'.join(CALLS)})\s*\(".replace(".", r"\w"))
TEST = re.compile(r"(tst|test|bug)[-_0-9a-z]")
# What needs a build of glibc around it (audit modules, containers, static programs), and twins for 32 bits. One that writes
# the fields of libc's barrier itself, and one that waits for the end of a thread by looking at /proc/self/task. Some that
# take minutes.
LEFT_OUT = re.compile(r"static|-time64$|audit|printers|container|-gdb-|tst-fortify|-(common|skeleton|internal)$"
                      r"|^tst-barrier5$|^tst-pthread_kill-exited$"
                      r"|^tst-mallocfork[23]$|^tst-resolv-(qtypes|rotate)$|^test-cxa_atexit-race2$")
RESULTS = {0: suite.PASS, 77: suite.SKIP}
SECONDS = 0.6  # for one test, natively and under guv, on two processors
LIBRARIES = ["-lpthread", "-lrt", "-lresolv", "-lanl", "-lutil", "-ldl", "-lm"]
# The headers of glibc that its tests use beside the public ones: found last.
HEADERS = ("include", *(f"sysdeps/{path}" for path in (
    "unix/sysv/linux/x86_64/64", "unix/sysv/linux/x86_64", "unix/sysv/linux", "nptl", "pthread", "x86_64/nptl", "x86/nptl",
    "x86_64", "x86", "x86/include", "posix", "generic")), "")
PATHS = {"SRCDIR": ".", "OBJDIR": "/", "OBJDIR_ELF_LDSO": "/lib64/ld-linux-x86-64.so.2", "INSTDIR": "/usr",
         "BINDIR": "/usr/bin", "LIBDIR": "/usr/lib/x86_64-linux-gnu", "SLIBDIR": "/lib/x86_64-linux-gnu",
         "SBINDIR": "/usr/sbin", "ROOTSBINDIR": "/sbin", "COMPLOCALEDIR": "/usr/lib/locale"}
# What glibc's own build has before every source of a test (include/libc-symbols.h, and by its Makefiles).
PRELUDE = """\
#define _ISOMAC 1
#define MODULE_testsuite 1
#define IS_IN(module) MODULE_##module
#define TIMEOUTFACTOR 1
#define attribute_hidden
#define weak_function
#define hidden_proto(...)
#define libc_hidden_proto(...)
#define rtld_hidden_proto(...)
#define _PATH_RESCONF "/etc/resolv.conf"
#include <limits.h>
"""


@dataclasses.dataclass
class Program:
    """A test, and what the Makefile of its folder says of it, as far as that can be told without make."""
    name: str  # folder/test
    source: str
    path: str

    @property
    def folder(self):
        return os.path.dirname(self.path)

    @property
    def short(self):
        return os.path.basename(self.name)

    @functools.cached_property
    def makefile(self):
        with open(f"{os.path.dirname(self.source)}/Makefile") as file:
            return file.read().replace("\\\n", " ")

    def words(self, variable):
        result = []
        for text in re.findall(rf"^{re.escape(variable)} *[+:]?= *(.*)$", self.makefile, re.MULTILINE):
            for reference, value in (("host-test-program-cmd", self.path), ("objpfx", f"{self.folder}/"),
                                     ("LDFLAGS-rdynamic", "-rdynamic")):
                text = text.replace(f"$({reference})", value)
            another = re.fullmatch(r"\$\(([\w-]+)\)", text)
            if another:
                result += self.words(another[1])
            elif "$" not in text and "`" not in text:
                result += shlex.split(text)
        return result

    def libraries(self, target):
        """The names of the libraries that `target` depends on."""
        rules = re.findall(rf"^\$\(objpfx\){re.escape(target)}\s*:(.*)$", self.makefile, re.MULTILINE)
        names = dict.fromkeys(re.findall(r"\$\(objpfx\)([\w.-]+)\.so", " ".join(rules)))
        return [name for name in names if os.path.exists(f"{os.path.dirname(self.source)}/{name}.c")]


class Build:
    """Compiles tests of glibc's tree `root` into `folder`."""

    def __init__(self, root, folder):
        self.root, self.folder = root, folder
        self.support = f"{folder}/libsupport.a"
        include = f"{folder}/include"
        os.makedirs(include, exist_ok=True)
        with open(f"{include}/prelude.h", "w") as prelude:
            prelude.write(PRELUDE)
        for generated in ("config.h", "abi-versions.h"):
            open(f"{include}/{generated}", "w").close()
        if not os.path.islink(f"{include}/support"):
            os.symlink(f"{root}/support", f"{include}/support")
        self.flags = ["-O1", "-w", "-D_GNU_SOURCE", "-include", f"{include}/prelude.h", f"-I{include}", f"-I{root}/support"]
        for path in HEADERS:
            self.flags += ["-idirafter", f"{root}/{path}"]
        self.flags += [f'-D{name}_PATH="{path}"' for name, path in PATHS.items()]

    def compile(self, source, output, more):
        """False when it does not compile; that is remembered, with the reason, as `output`.failed."""
        if os.path.exists(output):
            return True
        if os.path.exists(f"{output}.failed"):
            return False
        compiler = ["g++", "-std=gnu++17"] if source.endswith(".cc") else ["gcc", "-std=gnu11", "-fgnu89-inline"]
        part = f"{output}.{os.getpid()}"  # several tests may want the same library at once
        done = subprocess.run([*compiler, *self.flags, f"-I{os.path.dirname(source)}", source, "-o", part, *more],
                              capture_output=True)
        if done.returncode == 0:
            os.replace(part, output)
            return True
        with open(f"{output}.failed", "wb") as log:
            log.write(done.stderr)
        return False

    def compile_support(self, name):
        self.compile(f"{self.root}/support/{name}.c", f"{self.folder}/{name}.o", ["-c"])

    def make_support(self, jobs):
        if os.path.exists(self.support):
            return
        with open(f"{self.root}/support/Makefile") as makefile:
            listed = re.search(r"^libsupport-routines =((.*\\\n)*.*)$", makefile.read(), re.MULTILINE)[1]
        names = re.findall(r"[\w-]+", listed)
        suite.build_in_parallel(jobs, self.compile_support, names)
        objects = [path for path in (f"{self.folder}/{name}.o" for name in names) if os.path.exists(path)]
        subprocess.run(["ar", "crs", self.support, *objects], check=True)

    def text(self, source):
        """The source, and that of the tests it includes."""
        with open(source, errors="replace") as file:
            text = file.read()
        for name in re.findall(r'#\s*include\s*[<"]([\w-]+\.c)[>"]', text):
            if os.path.exists(f"{os.path.dirname(source)}/{name}") and name != os.path.basename(source):
                text += self.text(f"{os.path.dirname(source)}/{name}")
        return text

    def programs(self):
        """{name: Program} of the tests."""
        result = {}
        for folder in THREADS + OTHERS:
            for source in glob.glob(f"{self.root}/{folder}/*.c") + glob.glob(f"{self.root}/{folder}/*.cc"):
                short = os.path.splitext(os.path.basename(source))[0]
                if not TEST.match(short) or LEFT_OUT.search(short):
                    continue
                text = self.text(source)
                if re.search(r"do_test|TEST_FUNCTION|\bmain\s*\(", text) and (folder in THREADS or CONCERNED.search(text)):
                    name = f"{os.path.basename(folder)}/{short}"
                    result[name] = Program(name, source, f"{self.folder}/{name}")
        return result

    def make(self, program):
        """Builds a test and the libraries that it is linked to, or loads; whether it could be."""
        where = os.path.dirname(program.source)
        os.makedirs(program.folder, exist_ok=True)
        linked, loaded = program.libraries(program.short), program.libraries(f"{program.short}.out")
        for library in {*linked, *loaded}:
            self.compile(f"{where}/{library}.c", f"{program.folder}/{library}.so",
                         ["-shared", "-fPIC", f"-Wl,-soname,{library}.so"])
        more = [f'-DOBJPFX="{program.folder}/"', *program.words(f"CFLAGS-{os.path.basename(program.source)}"),
                *program.words(f"LDFLAGS-{program.short}"), "-Wl,--no-as-needed",
                *(f"{program.folder}/{library}.so" for library in linked), "-Wl,--as-needed", self.support, *LIBRARIES]
        return self.compile(program.source, program.path, more)


def test(program):
    # They look for files among the sources, and leave some there and beside the program.
    where = os.path.dirname(program.source)
    for folder in (where, program.folder):
        os.chmod(folder, 0o1777)
    return suite.Test(program.name, [program.path, *program.words(f"{program.short}-ARGS")], where,
                      {"LD_LIBRARY_PATH": program.folder, "TIMEOUTFACTOR": "2"}, suite.NOBODY, 100, RESULTS)


def main():
    options = suite.parser("glibc", __doc__).parse_args()
    root = os.path.realpath(suite.fetch_source("glibc", "glibc", options.work))
    build = Build(root, f"{options.work}/build")
    os.makedirs(f"{options.work}/again", exist_ok=True)
    build.make_support(options.jobs)
    programs = build.programs()
    chosen = [programs[name] for name in suite.chosen(programs, options, lambda name: SECONDS)]
    built = suite.build_in_parallel(options.jobs, build.make, chosen)
    print(f"glibc: {built.count(False)} of {len(chosen)} tests need more of glibc than its public headers")
    # Most of them wait for most of their time.
    options.jobs *= 2
    return suite.main("glibc", [test(program) for program, fine in zip(chosen, built) if fine], options)


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    sys.exit(main())
