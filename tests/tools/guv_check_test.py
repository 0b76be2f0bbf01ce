"""guv-check: what it says of programs made here, one for each thing it looks for, and of real ones where installed.

Usage: guv_check_test.py path/to/guv-check path/to/libguv.so
"""

import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

GUV_CHECK, LIBGUV = (os.path.abspath(path) for path in (sys.argv.pop(1), sys.argv.pop(1)))
FINE, LIMITS, IMPOSSIBLE, USAGE = range(4)
NOBODY = 65534
SYSTEM_PATH = "/usr/bin:/bin:/usr/sbin:/sbin"

MAIN = "int main(void) { return 0; }\n"
THREADS = "#include <pthread.h>\nvoid* f(void* p) { return p; }\n" \
          "int main(void) { pthread_t t; return pthread_create(&t, 0, f, 0); }\n"

# Real programs: verdict, and the findings that must be there. Several paths: the first that exists.
REAL = [
    (["/usr/bin/python3"], FINE, {"threads"}),
    (["/usr/lib/postgresql/*/bin/postgres"], None, set()),
    (["/usr/lib/postgresql/*/bin/pgbench"], FINE, {"threads"}),
    (["/usr/sbin/mariadbd"], LIMITS, {"threads", "io-uring"}),
    (["/usr/bin/redis-server"], FINE, {"threads"}),
    (["/usr/bin/memcached"], FINE, {"threads"}),
    (["/usr/bin/stunnel4"], FINE, {"threads"}),
    (["/usr/sbin/apache2"], FINE, {"loads-later"}),
    (["/usr/sbin/nginx"], FINE, {"threads"}),
    (["/usr/bin/curl"], FINE, {"threads"}),
    (["/usr/bin/openssl"], FINE, set()),
    (["/usr/sbin/sshd"], FINE, set()),
    (["/usr/sbin/rsyslogd"], FINE, {"threads", "loads-later"}),
    (["/usr/sbin/haproxy"], FINE, {"threads"}),
    (["/usr/sbin/squid"], FINE, {"threads"}),
    (["/usr/sbin/dnsmasq"], FINE, set()),
    (["/usr/sbin/named"], FINE, {"threads"}),
    (["/usr/bin/tinyproxy"], FINE, {"threads"}),
    (["/usr/bin/node", "/usr/bin/nodejs"], None, {"threads"}),
    (["/usr/bin/java"], LIMITS, {"jvm"}),
    (["/usr/bin/perl"], FINE, {"loads-later"}),
    (["/usr/bin/ruby"], FINE, {"threads"}),
    (["/usr/bin/php"], FINE, {"loads-later"}),
    (["/usr/bin/git"], FINE, {"threads"}),
    (["/usr/bin/rsync"], FINE, set()),
    (["/usr/bin/qemu-x86_64"], None, {"threads"}),
    (["/bin/bash"], FINE, {"no-threads"}),
    (["/bin/busybox"], None, set()),
    (["/usr/bin/gdb"], LIMITS, {"gaps"}),
    (["/usr/bin/docker", "/usr/local/bin/docker"], IMPOSSIBLE, {"go"}),
    (["/usr/lib/go-*/bin/go"], IMPOSSIBLE, {"go"}),
    (["/usr/sbin/ldconfig"], IMPOSSIBLE, {"out-of-reach"}),
]


def run(*args, **more):
    more = {"env": {**os.environ, "PATH": SYSTEM_PATH}, **more}
    return subprocess.run([GUV_CHECK, *args], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120, **more)


def setUpModule():
    """A copy that other users can start: the build directory may be closed to them."""
    global GUV_CHECK
    directory = tempfile.mkdtemp(prefix="guv-check-test.")
    unittest.addModuleCleanup(shutil.rmtree, directory)
    os.chmod(directory, 0o755)
    GUV_CHECK = shutil.copy(GUV_CHECK, directory)


class CheckTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.mkdtemp(prefix="guv-check-test.")
        os.chmod(cls.directory, 0o755)  # other users look at programs here

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.directory)

    def path(self, name):
        return os.path.join(self.directory, name)

    def build(self, name, source, *flags):
        path = self.path(name)
        with open(path + ".c", "w") as file:
            file.write(source)
        done = subprocess.run(["cc", "-O1", "-w", "-o", path, path + ".c", *flags], capture_output=True, text=True)
        if done.returncode != 0:
            self.skipTest("cannot be built here: " + done.stderr.splitlines()[-1])
        return path

    def judge(self, program, **more):
        """The report of --json; its verdict is the exit status."""
        done = run("--json", program, **more)
        self.assertIn(done.returncode, (FINE, LIMITS, IMPOSSIBLE), done.stderr)
        self.assertEqual(done.stderr, "")
        report = json.loads(done.stdout)
        self.assertEqual(report["verdict"], ("fine", "limits", "impossible")[done.returncode])
        return report

    def ids(self, report, weight=None):
        return {f["id"] for f in report["findings"] if weight in (None, f["weight"])}

    def details(self, report, ident):
        return [line for f in report["findings"] if f["id"] == ident for line in f["details"]]

    def assert_verdict(self, program, verdict, *idents, **more):
        report = self.judge(program, **more)
        self.assertEqual(report["verdict"], verdict, report["findings"])
        self.assertLessEqual(set(idents), self.ids(report))
        return report


class Made(CheckTest):
    def test_threads(self):
        report = self.assert_verdict(self.build("threads", THREADS), "fine", "threads")
        self.assertTrue(report["makes_threads"])
        self.assertIn("pthread_create", report["objects"][0]["green"])

    def test_no_threads(self):
        report = self.assert_verdict(self.build("plain", MAIN), "fine", "no-threads")
        self.assertFalse(report["makes_threads"])

    def test_static(self):
        self.assert_verdict(self.build("static", MAIN, "-static"), "impossible", "out-of-reach")

    def test_other_loader(self):
        path = self.build("musl", MAIN, "-Wl,--dynamic-linker=/lib/ld-musl-x86_64.so.1")
        report = self.assert_verdict(path, "impossible", "out-of-reach")
        self.assertEqual(report["objects"], [])

    def test_other_machine_and_word_size(self):
        for name, offset, value in ("arm", 18, struct.pack("<H", 40)), ("32-bit", 4, b"\x01"):
            path = self.build(name, MAIN)
            with open(path, "r+b") as file:
                file.seek(offset)
                file.write(value)
            report = self.assert_verdict(path, "impossible", "out-of-reach")
            self.assertEqual(report["objects"], [], name)

    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_set_user_id(self):
        path = self.build("suid", THREADS)
        os.chown(path, NOBODY, NOBODY)
        os.chmod(path, 0o4755)
        report = self.assert_verdict(path, "impossible", "out-of-reach")
        # Its names are still told: a plain copy of it may be run.
        self.assertIn("pthread_create", report["objects"][0]["green"])

    @unittest.skipUnless(os.geteuid() == 0, "needs root, to become another user")
    def test_set_user_id_programs_of_debian(self):
        """For root they are programs like others; for a user the loader drops the preload."""
        programs = [p for p in map(shutil.which, ("su", "mount", "passwd", "sudo")) if p and os.stat(p).st_mode & 0o4000]
        if not programs:
            self.skipTest("none of su, mount, passwd and sudo is set-user-ID here")
        for program in programs:
            self.assert_verdict(program, "impossible", "out-of-reach", user=NOBODY)
            self.assertNotIn("out-of-reach", self.ids(self.judge(program)))

    @unittest.skipUnless(os.geteuid() == 0, "needs root, to become another user")
    def test_unreadable(self):
        path = self.build("unreadable", THREADS)
        os.chmod(path, 0o711)
        report = self.assert_verdict(path, "limits", "unreadable", user=NOBODY)
        self.assertEqual(report["program"], "")

    def write_script(self, name, text):
        path = self.path(name)
        with open(path, "w") as file:
            file.write(text)
        os.chmod(path, 0o755)
        return path

    def test_script(self):
        for name, text in ("script", "#!/bin/sh\ntrue\n"), ("bare", "true\n"):
            report = self.assert_verdict(self.write_script(name, text), "fine", "script")
            self.assertEqual(report["program"], "/bin/sh", name)

    @unittest.skipUnless(os.path.exists("/usr/bin/python3"), "no python3 of Debian")
    def test_script_by_env(self):
        path = self.write_script("by-env", "#!/usr/bin/env python3\n")
        report = self.assert_verdict(path, "fine", "script", "threads")
        self.assertEqual(report["program"], "/usr/bin/python3")

    def test_script_of_static_interpreter(self):
        interpreter = self.build("interpreter", MAIN, "-static")
        self.assert_verdict(self.write_script("its-script", f"#!{interpreter}\n"), "impossible", "out-of-reach")

    def test_java(self):
        self.build("libjvm.so", MAIN.replace("main", "JNI_CreateJavaVM"), "-shared", "-fPIC", "-Wl,-soname,libjvm.so")
        path = self.build("java", THREADS, "-Wl,--no-as-needed", "-L" + self.directory, "-ljvm", "-Wl,-rpath,$ORIGIN")
        self.assert_verdict(path, "limits", "jvm")

    def test_go(self):
        path = self.build("go", MAIN + '__asm__(".section .note.go.buildid,\\"a\\"\\n.string \\"x\\"\\n.text");\n')
        report = self.assert_verdict(path, "impossible", "go")
        self.assertFalse({"threads", "no-threads"} & self.ids(report))

    def test_direct_system_call(self):
        path = self.build("direct", THREADS + """
          long wait_in_read(int fd, void* to, long n) {
            long result;
            __asm__ volatile("syscall" : "=a"(result) : "a"(0), "D"(fd), "S"(to), "d"(n) : "rcx", "r11", "memory");
            return result;
          }""")
        report = self.assert_verdict(path, "limits", "direct-system-calls")
        self.assertEqual(self.details(report, "direct-system-calls"), ["wait_in_read: read"])

    def test_direct_system_call_without_symbols(self):
        path = self.build("stripped", THREADS + """
          long hidden(long number) {
            long result;
            __asm__ volatile("syscall" : "=a"(result) : "a"(number) : "rcx", "r11", "memory");
            return result;
          }""", "-s")
        report = self.assert_verdict(path, "limits", "direct-system-calls")
        self.assertRegex(self.details(report, "direct-system-calls")[0], r"^0x[0-9a-f]+: number not told$")

    def test_direct_system_call_in_a_library(self):
        self.build("libdirect.so", """
          long deep_wait(void) {
            long result;
            __asm__ volatile("syscall" : "=a"(result) : "a"(202) : "rcx", "r11", "memory");
            return result;
          }""", "-shared", "-fPIC")
        path = self.build("user", THREADS + "long deep_wait(void); long g(void) { return deep_wait(); }\n",
                          "-L" + self.directory, "-l:libdirect.so", "-Wl,--no-as-needed", "-Wl,-rpath,$ORIGIN")
        report = self.assert_verdict(path, "limits", "direct-system-calls")
        self.assertEqual(self.details(report, "direct-system-calls"), ["deep_wait: futex"])
        # By a symbolic link elsewhere: $ORIGIN is where the file is.
        os.mkdir(self.path("elsewhere"))
        os.symlink(path, self.path("elsewhere/link"))
        self.assert_verdict(self.path("elsewhere/link"), "limits", "direct-system-calls")
        # And without the library.
        alone = self.path("elsewhere/alone")
        shutil.copy(path, alone)
        self.assert_verdict(alone, "impossible", "missing-library")
        self.assert_verdict(alone, "limits", "direct-system-calls",
                            env={**os.environ, "LD_LIBRARY_PATH": self.directory})

    def test_harmless_system_call(self):
        path = self.build("getpid", THREADS + """
          long who(void) {
            long result;
            __asm__ volatile("syscall" : "=a"(result) : "a"(39) : "rcx", "r11", "memory");
            return result;
          }""")
        self.assert_verdict(path, "fine", "harmless-system-calls")

    def test_bytes_that_only_look_like_a_system_call(self):
        path = self.build("data", THREADS + """
          const unsigned char table[] __attribute__((section(".text#"))) = {0xb8, 0, 0, 0, 0, 0x0f, 0x05, 0xc3};
          unsigned inside(void) { volatile unsigned x = 0xc3050f90; return x; }
          __asm__(".text\\n.byte 0x0f, 0x05, 0x0f, 0x05\\n");""")
        report = self.assert_verdict(path, "fine", "threads")
        self.assertFalse(self.ids(report) & {"direct-system-calls", "harmless-system-calls"})

    def test_io_uring(self):
        path = self.build("uring", THREADS + "long syscall(long, ...);\n"
                          "long ring(void* p) { return syscall(425, 8, p); }\n"
                          "long other(long, ...); long no(void) { return syscall(186, 425); }\n")
        report = self.assert_verdict(path, "limits", "io-uring")
        self.assertEqual(self.details(report, "io-uring"), ["syscall(io_uring_setup) in ring"])

    def test_what_guv_brings_is_no_limit(self):
        """Its own system calls, and libuv, which can use io_uring, are no property of the program."""
        direct = 'long NAME(void) { long r; __asm__ volatile("syscall" : "=a"(r) : "a"(202)); return r; }'
        library = ("-shared", "-fPIC", "-L" + self.directory, "-Wl,-rpath,$ORIGIN", "-Wl,--no-as-needed")
        needing = (*library[2:], "-l:libguv.so")
        for name in ("deep", "shared"):
            self.build(f"lib{name}.so", direct.replace("NAME", name), *library)
        self.build("libuses.so", MAIN.replace("main", "uses"), *library, "-l:libdeep.so", "-l:libshared.so")
        self.build("libguv.so", direct.replace("NAME", "hub"), *library, "-l:libuses.so")

        report = self.assert_verdict(self.build("linked", THREADS, *needing), "fine", "threads")
        self.assertEqual([os.path.basename(o["path"]) for o in report["objects"]], ["linked"])
        report = self.assert_verdict(self.build("sharing", THREADS, *needing, "-l:libshared.so"), "limits")
        self.assertEqual(self.details(report, "direct-system-calls"), ["shared: futex"])

    def test_own_names(self):
        path = self.build("own-lock", THREADS + "int pthread_mutex_lock(pthread_mutex_t* m) { return 0; }\n", "-rdynamic")
        report = self.assert_verdict(path, "limits", "own-names")
        self.assertIn("pthread_mutex_lock", self.details(report, "own-names"))
        path = self.build("own-read", THREADS + "long read(int fd, void* p, unsigned long n) { return -1; }\n", "-rdynamic")
        self.assert_verdict(path, "fine", "own-names")

    def test_gap_counts_where_there_are_threads(self):
        gap = "long ptrace(int, ...); int g(void* p) { return (int)ptrace(0, p); }\n"
        report = self.assert_verdict(self.build("gap", THREADS + gap), "limits", "gaps")
        self.assertIn("ptrace", report["objects"][0]["waiting"])
        self.assert_verdict(self.build("lone-gap", MAIN + gap), "fine", "gaps")

    def test_much_thread_local_memory(self):
        path = self.build("tls", THREADS + "__thread char much[1 << 20]; char* h(void) { return much; }\n")
        self.assert_verdict(path, "fine", "thread-local-memory")

    def test_broken_files(self):
        """Neither a crash nor a hang, whatever is in the file."""
        with open(self.build("whole", THREADS), "rb") as file:
            whole = file.read()
        path = self.path("broken")
        for cut in (0, 4, 17, 63, 64, 100, 500, 2000, len(whole) // 2, len(whole) - 8):
            with open(path, "wb") as file:
                file.write(whole[:cut])
            os.chmod(path, 0o755)
            self.assertIn(run("--json", path).returncode, range(4), f"{cut} bytes")
        for at in range(0, len(whole), len(whole) // 60):
            with open(path, "wb") as file:
                file.write(whole[:at] + b"\xff" * 16 + whole[at + 16:])
            self.assertIn(run("--json", path).returncode, range(4), f"{at} overwritten")


class Running(CheckTest):
    def start(self, *command, **environment):
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   env={**os.environ, **environment})
        self.addCleanup(process.communicate)
        process.stdout.readline()
        return str(process.pid)

    SAY = ("/usr/bin/python3", "-c", "import sys; print('up', flush=True); sys.stdin.read()")

    @unittest.skipUnless(os.path.exists("/usr/bin/python3"), "no python3 of Debian")
    def test_process(self):
        report = self.assert_verdict(self.start(*self.SAY), "fine", "restart", "kernel-threads")
        self.assertFalse(report["guv_inside"])
        self.assertIsInstance(report["pid"], int)
        self.assertRegex(report["program"], "python3")
        self.assertGreaterEqual(len(report["objects"]), 2)

    @unittest.skipUnless(os.path.exists("/usr/bin/python3"), "no python3 of Debian")
    def test_process_with_guv(self):
        report = self.assert_verdict(self.start(*self.SAY, LD_PRELOAD=LIBGUV), "fine", "guv-inside")
        self.assertTrue(report["guv_inside"])
        names = [os.path.basename(o["path"]) for o in report["objects"]]
        self.assertFalse([name for name in names if name.startswith(("libguv", "libuv"))], names)

    def test_static_process(self):
        path = self.build("static-say", '#include <stdio.h>\nint main(void) { puts("up"); fflush(stdout); getchar(); }\n',
                          "-static")
        self.assert_verdict(self.start(path), "impossible", "out-of-reach")

    @unittest.skipUnless(os.geteuid() == 0, "needs root, to become another user")
    def test_process_of_another_user(self):
        done = run("1", user=NOBODY)
        self.assertEqual((done.returncode, done.stdout), (USAGE, ""))
        self.assertRegex(done.stderr, r"^guv-check: process 1 cannot be looked at: [^\n]+\n$")

    def test_no_such_process(self):
        done = run("4194305")
        self.assertEqual((done.returncode, done.stdout), (USAGE, ""))
        self.assertIn("no process 4194305", done.stderr)


class CommandLine(CheckTest):
    def test_wrong_use(self):
        for args in ((), ("a", "b"), ("--bogus", "a"), ("--json=x", "a"), ("no-such-program",), ("/no/such",), ("/",), ("",)):
            done = run(*args)
            self.assertEqual((done.returncode, done.stdout), (USAGE, ""), args)
            self.assertRegex(done.stderr, r"^guv-check: [^\n]+\n$")

    def test_help_and_version(self):
        done = run("--help", "--bogus")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertLessEqual(max(map(len, done.stdout.splitlines())), 110)
        self.assertRegex(run("--version").stdout, r"^guv-check \d+\.\d+\.\d+\n$")

    def test_help_and_manual_tell_the_same_options(self):
        manual = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docs/man/guv-check.1")
        with open(manual) as file:
            in_manual = re.findall(r"^\.It Fl -([a-z-]+)", file.read(), re.MULTILINE)
        in_help = re.findall(r"^  --([a-z-]+)", run("--help").stdout, re.MULTILINE)
        self.assertEqual(sorted(in_manual), sorted(in_help))

    def test_manual_tells_every_finding(self):
        root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
        with open(os.path.join(root, "docs/man/guv-check.1")) as file:
            manual = set(re.findall(r"^\.It Cm ([a-z-]+)", file.read(), re.MULTILINE))
        sources = ""
        for name in ("check.cpp", "findings.cpp"):
            with open(os.path.join(root, "tools/guv_check", name)) as file:
                sources += file.read()
        told = set(re.findall(r"Weight::\w+,\s*\"([a-z-]+)\"|add_names\(report, \"([a-z-]+)\"|"
                              r"\? \"([a-z-]+)\" : \"([a-z-]+)\"", sources))
        self.assertEqual(manual, {word for words in told for word in words if word})

    def test_manual_tells_every_member(self):
        manual = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docs/man/guv-check.1")
        with open(manual) as file:
            section = file.read().split(".Ss JSON")[1].split(".Sh ENVIRONMENT")[0]
        # "asked" or "guv_inside , Li makes_threads"
        told = {word for line in re.findall(r"^\.(?:It )?Li (.*)", section, re.MULTILINE)
                for word in re.findall(r"\b[a-z_]+\b", line)}
        report = self.judge(self.build("members", THREADS))
        members = set(report) | set(report["objects"][0]) | set(report["findings"][0])
        self.assertEqual(told, members)

    def test_quiet_says_nothing(self):
        done = run("--quiet", self.build("quiet", MAIN, "-static"))
        self.assertEqual((done.returncode, done.stdout, done.stderr), (IMPOSSIBLE, "", ""))

    def test_text(self):
        path = self.build("text", THREADS)
        done = run(path)
        self.assertEqual(done.returncode, FINE)
        self.assertTrue(done.stdout.startswith(path + ": fine\n"), done.stdout)
        self.assertNotIn("\033", done.stdout)
        self.assertIn("pthread_create: a green thread", run("--verbose", path).stdout)

    def on_a_terminal(self, program, **environment):
        ours, its = os.openpty()
        with open(ours, "rb", buffering=0) as terminal:
            subprocess.run([GUV_CHECK, program], stdin=subprocess.DEVNULL, stdout=its, env={**os.environ, **environment})
            os.close(its)
            return terminal.read(4096)

    def test_colours_are_for_terminals(self):
        path = self.build("colours", THREADS)
        self.assertIn(b"\033[32mfine\033[0m", self.on_a_terminal(path, NO_COLOR=""))
        self.assertNotIn(b"\033", self.on_a_terminal(path, NO_COLOR="1"))

    def test_found_in_path(self):
        self.assertEqual(self.judge("sh")["program"], "/usr/bin/sh")

    def test_full_disk(self):
        for arguments in (["--json", "/bin/sh"], ["--version"], ["--help"]):
            with open("/dev/full", "w") as full:
                done = subprocess.run([GUV_CHECK, *arguments], stdout=full, stderr=subprocess.PIPE)
            self.assertEqual((done.returncode, done.stderr), (USAGE, b"guv-check: standard output cannot be written\n"))


class Real(CheckTest):
    """The best-known programs of Debian. Verdict None: it depends on how this version was made."""


def add_real(paths, verdict, idents):
    import glob
    found = [path for pattern in paths for path in sorted(glob.glob(pattern))]

    def test(self):
        if not found:
            self.skipTest("not installed")
        report = self.judge(found[0])
        if verdict is not None:
            self.assertEqual(report["verdict"], ("fine", "limits", "impossible")[verdict], report["findings"])
        self.assertLessEqual(idents, self.ids(report), report["findings"])
        self.assertNotIn("unknown-names", self.ids(report))

    setattr(Real, "test_" + re.sub(r"\W", "_", os.path.basename(paths[0])), test)


for row in REAL:
    add_real(*row)

if __name__ == "__main__":
    unittest.main()
