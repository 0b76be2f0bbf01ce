"""guv-run: what it hands to the program, what it refuses, and that nothing of it is left once the program runs.

Usage: guv_run_test.py path/to/guv-run

Real binaries throughout, built here. The preloaded library is a probe that writes one line when it is loaded, so that
every test that expects a preload proves that it took place (a failed LD_PRELOAD is only a warning).
"""

import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import unittest

GUV_RUN = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else None
NOBODY = 65534

PROBE = r'''
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <fcntl.h>
#include <errno.h>
#include <unistd.h>
__attribute__((constructor)) static void loaded(void) {
  const char* file = getenv("PROBE_FILE");
  if (!file) return;
  int fd = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
  if (fd < 0) return;
  dprintf(fd, "%d %s %s\n", getpid(), program_invocation_short_name, NAME);
  close(fd);
}
'''

# What Go's linker leaves in a program.
GO_NOTE = r'''__asm__(".section .note.go.buildid, \"a\", @note\n .long 4, 4, 4\n .asciz \"Go\\0\"\n .asciz \"x/y\"\n .text");'''

# Prints as JSON what the program got from whoever started it.
SHOW = r'''
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>
extern char** environ;
static void quoted(const char* s) {
  putchar('"');
  for (; *s; ++s) {
    if (*s == '"' || *s == '\\') putchar('\\');
    if (*s == '\n') printf("\\n"); else putchar(*s);
  }
  putchar('"');
}
int main(int argc, char** argv) {
  printf("{\"pid\": %d, \"argv\": [", getpid());
  for (int i = 0; i < argc; ++i) { if (i) printf(", "); quoted(argv[i]); }
  printf("], \"fds\": [");
  for (int fd = 0, n = 0; fd < 64; ++fd) if (fcntl(fd, F_GETFD) != -1) printf("%s%d", n++ ? ", " : "", fd);
  sigset_t mask;
  sigprocmask(SIG_BLOCK, NULL, &mask);
  struct sigaction pipe, hup;
  sigaction(SIGPIPE, NULL, &pipe);
  sigaction(SIGHUP, NULL, &hup);
  printf("], \"usr1_blocked\": %d, \"pipe_ignored\": %d, \"hup_ignored\": %d, \"env\": {", sigismember(&mask, SIGUSR1),
         pipe.sa_handler == SIG_IGN, hup.sa_handler == SIG_IGN);
  for (char** e = environ; *e; ++e) {
    char* value = strchr(*e, '=');
    if (!value) continue;
    *value++ = 0;
    if (e != environ) printf(", ");
    quoted(*e); printf(": "); quoted(value);
  }
  printf("}}\n");
  return 0;
}
'''


class Lab:
    """The directory with everything the tests start."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="guv-run-test.")
        os.chmod(self.dir, 0o755)  # other users start programs here
        # A copy, because the build directory may be closed to other users, and so that nothing lies beside it.
        os.mkdir(self / "bin")
        self.guv_run = self / "bin" / "guv-run"
        shutil.copy(GUV_RUN, self.guv_run)
        self.build("probe.c", PROBE, "libprobe.so", "-shared", "-fPIC", '-DNAME="probe"')
        self.build("probe.c", PROBE, "libother.so", "-shared", "-fPIC", '-DNAME="other"')
        self.build("show.c", SHOW, "show")
        self.build("in_go.c", GO_NOTE + SHOW, "in-go")
        self.build("show.c", SHOW, "static", "-static")
        self.build("show.c", SHOW, "static-pie", "-static-pie")
        self.build("show.c", SHOW, "musl", "-Wl,--dynamic-linker=/lib/ld-musl-x86_64.so.1")
        self.build("show.c", SHOW, "no-loader", "-Wl,--dynamic-linker=/nowhere/ld-linux-x86-64.so.2")
        self.write("script", f"#!{self / 'show'} one two  \n", 0o755)
        self.write("plain", "#!/bin/sh\nexit 5\n", 0o644)

    def __truediv__(self, name):
        return Path(os.path.join(self.dir, name))

    def build(self, source, text, output, *flags):
        self.write(source, text)
        subprocess.run(["gcc", "-O1", "-w", "-o", self / output, self / source, *flags], check=True)

    def write(self, name, text, mode=0o644):
        with open(self / name, "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        os.chmod(self / name, mode)
        return self / name

    def patched(self, name, offset, data):
        """A copy of `show` with other bytes in its ELF header."""
        with open(self / "show", "rb") as file:
            image = bytearray(file.read())
        image[offset:offset + len(data)] = data
        return self.write(name, bytes(image), 0o755)


class Path(str):
    def __truediv__(self, name):
        return Path(os.path.join(self, name))


lab = None


def setUpModule():
    global lab
    lab = Lab()


def tearDownModule():
    shutil.rmtree(lab.dir)


class Case(unittest.TestCase):
    def setUp(self):
        self.probe_file = lab / f"probe.{self.id()}"
        open(self.probe_file, "w").close()  # and before every run
        os.chmod(self.probe_file, 0o666)
        # None of the variables under test leaks in from the caller.
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("GUV_", "LD_", "ASAN_"))}
        self.env.update(GUV_LIBRARY=lab / "libprobe.so", PROBE_FILE=self.probe_file, LC_ALL="C")
        # For a guv-run built with ASan, which minds what else the tests preload.
        self.env.update(ASAN_OPTIONS="verify_asan_link_order=0")

    def run_guv(self, *args, env=None, guv_run=None, **more):
        open(self.probe_file, "w").close()
        more.setdefault("timeout", 60)
        for stream in ("stdout", "stderr"):
            more.setdefault(stream, subprocess.PIPE)
        return subprocess.run([guv_run or lab.guv_run, *args], env={**self.env, **(env or {})}, text=True, **more)

    def run_plain(self, *args):
        return subprocess.run(args, env=self.env, capture_output=True, text=True, timeout=60)

    def show(self, *args, **more):
        """Runs a program made of SHOW and returns what it saw."""
        done = self.run_guv(*args, **more)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done)
        return json.loads(done.stdout)

    def preloaded_into(self):
        with open(self.probe_file) as file:
            return [tuple(line.split()[1:]) for line in file]

    def assert_refused(self, done, status, *words):
        self.assertEqual(done.returncode, status, done)
        self.assertTrue(done.stderr.startswith("guv-run: "), done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        self.assertTrue(done.stderr.endswith("\n"), done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertEqual(self.preloaded_into(), [])


class Program(Case):
    """The program gets everything as if guv-run had not been there."""

    def test_is_preloaded(self):
        self.show(lab / "show")
        self.assertEqual(self.preloaded_into(), [("show", "probe")])

    def test_keeps_the_pid(self):
        process = subprocess.Popen([lab.guv_run, lab / "show"], env=self.env, stdout=subprocess.PIPE, text=True)
        self.assertEqual(json.loads(process.communicate()[0])["pid"], process.pid)

    def test_is_pid_1_of_a_container(self):
        done = self.run_plain("unshare", "--pid", "--fork", "--mount-proc", lab.guv_run, lab / "show")
        if done.returncode != 0 and "unshare" in done.stderr:
            self.skipTest("no PID namespace here: " + done.stderr.strip())
        self.assertEqual(json.loads(done.stdout)["pid"], 1)

    def test_arguments_are_untouched(self):
        args = ["a b", "", "--help", "--", "-x", "ü", 'q"\\', "line\nbreak", "*", "--stack-size=x"]
        self.assertEqual(self.show(lab / "show", *args)["argv"], [lab / "show", *args])

    def test_double_dash_ends_the_options(self):
        self.assertEqual(self.show("--", lab / "show", "--", "x")["argv"], [lab / "show", "--", "x"])

    def test_exit_status_passes_through(self):
        for status in (0, 1, 2, 42, 126, 127, 255):
            self.assertEqual(self.run_guv("sh", "-c", f"exit {status}").returncode, status)

    def test_death_by_signal_passes_through(self):
        for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGABRT):
            self.assertEqual(self.run_guv("sh", "-c", f"kill -{int(number)} $$").returncode, -number)

    def test_a_signal_from_outside_meets_the_program_itself(self):
        script = "trap 'exit 9' TERM; echo ready; while :; do sleep 0.01; done"
        process = subprocess.Popen([lab.guv_run, "sh", "-c", script], env=self.env, stdout=subprocess.PIPE, text=True)
        self.assertEqual(process.stdout.readline(), "ready\n")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(60), 9)
        process.stdout.close()
        process = subprocess.Popen([lab.guv_run, "cat"], env=self.env, stdin=subprocess.PIPE)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(60), -signal.SIGTERM)
        process.stdin.close()

    def test_standard_streams_pass_through(self):
        done = self.run_guv("sh", "-c", "cat; echo to-stderr >&2", input="to-stdout")
        self.assertEqual((done.stdout, done.stderr), ("to-stdout", "to-stderr\n"))

    def test_closed_standard_streams_stay_closed(self):
        script = 'exec "$0" "$1" <&- '
        done = self.run_plain("sh", "-c", script, lab.guv_run, lab / "show")
        self.assertEqual(json.loads(done.stdout)["fds"], [1, 2])
        done = self.run_plain("sh", "-c", script + "2>&-", lab.guv_run, lab / "show")
        self.assertEqual(json.loads(done.stdout)["fds"], [1])
        done = self.run_plain("sh", "-c", 'exec "$0" nosuch <&- >&- 2>&-', lab.guv_run)
        self.assertEqual(done.returncode, 127)

    def test_descriptors_are_handed_on_and_none_is_added(self):
        read, write = os.pipe()
        seen = self.show(lab / "show", pass_fds=[read])
        self.assertEqual(seen["fds"], [0, 1, 2, read])
        os.close(read)
        os.close(write)

    def test_signal_mask_and_dispositions_are_untouched(self):
        def set_up():
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
            signal.signal(signal.SIGHUP, signal.SIG_IGN)

        seen = self.show(lab / "show", preexec_fn=set_up)
        self.assertEqual((seen["usr1_blocked"], seen["hup_ignored"], seen["pipe_ignored"]), (1, 1, 0))

    def test_environment_is_untouched_but_for_ld_preload(self):
        odd = {"EMPTY": "", "SPACED": "a b", "PYTHONPATH": "x"}
        seen = self.show(lab / "show", env=odd)["env"]
        self.assertEqual(seen.pop("LD_PRELOAD"), lab / "libprobe.so")
        self.assertEqual(seen, {**self.env, **odd})

    def test_works_with_an_empty_environment(self):
        self.env = {"GUV_LIBRARY": lab / "libprobe.so"}
        done = self.run_plain(lab.guv_run, "env")
        self.assertEqual(done.returncode, 0, done)
        self.assertIn(f"LD_PRELOAD={lab / 'libprobe.so'}\n", done.stdout)


class Search(Case):
    """The program is found as the shell finds it."""

    def test_path_is_searched_in_order(self):
        for name, status in (("first", 0o644), ("second", 0o755), ("third", 0o755)):
            os.makedirs(lab / name, exist_ok=True)
            shutil.copy(lab / "show", lab / name / "prog")
            os.chmod(lab / name / "prog", status)
        os.makedirs(lab / "zeroth" / "prog", exist_ok=True)
        path = ":".join(lab / name for name in ("zeroth", "first", "second", "third"))
        # argv[0] is what the user typed; the file is the first that can be executed.
        self.assertEqual(self.show("prog", env={"PATH": path})["argv"], ["prog"])
        shutil.copy("/bin/false", lab / "third" / "prog")
        self.assertEqual(self.show("prog", env={"PATH": path})["argv"], ["prog"])

    def test_an_empty_element_of_path_is_the_current_directory(self):
        for path in ("", ":/bin", "/bin:", "/bin::/usr/bin"):
            self.assertEqual(self.show("show", env={"PATH": path}, cwd=lab.dir)["argv"], ["show"], path)

    def test_a_path_is_relative_to_the_current_directory(self):
        self.assertEqual(self.show("./show", cwd=lab.dir)["argv"], ["./show"])

    def test_missing(self):
        self.assert_refused(self.run_guv("no-such-program"), 127, "'no-such-program'", "PATH")
        self.assert_refused(self.run_guv("./no/such"), 127, "'./no/such'", "does not exist")
        self.assert_refused(self.run_guv(""), 127, "''")
        self.assert_refused(self.run_guv("two\nlines"), 127, "'two\\nlines'")
        self.assert_refused(self.run_guv(lab / "show" / "below"), 127)

    def test_directory(self):
        self.assert_refused(self.run_guv(lab.dir), 126, "is a directory")

    def test_not_executable(self):
        self.assert_refused(self.run_guv(lab / "plain"), 126, "is not executable", "chmod +x")
        self.assert_refused(self.run_guv("plain", env={"PATH": lab.dir}), 126, "is not executable")

    def test_not_executable_for_another_user(self):
        if os.geteuid() != 0:
            self.skipTest("needs root, to become another user")
        os.makedirs(lab / "closed", exist_ok=True)
        shutil.copy(lab / "show", lab / "closed" / "show")
        os.chmod(lab / "closed", 0o700)
        self.assert_refused(self.run_guv(lab / "closed" / "show", user=NOBODY), 126, "may not enter")
        # In PATH such a directory is passed over, as the shell does it.
        done = self.run_guv("nosuch", env={"PATH": lab / "closed"}, user=NOBODY)
        self.assert_refused(done, 127, "was not found in PATH")

    def test_executable_but_not_readable(self):
        shutil.copy(lab / "show", lab / "unreadable")
        os.chmod(lab / "unreadable", 0o711)
        self.show(lab / "unreadable", **({"user": NOBODY} if os.geteuid() == 0 else {}))


class Preload(Case):
    """LD_PRELOAD: ours first, everything else kept, nothing twice."""

    def preload(self, before, **env):
        return self.show(lab / "show", env={"LD_PRELOAD": before, **env})["env"]["LD_PRELOAD"]

    def test_is_prepended(self):
        ours, other = lab / "libprobe.so", lab / "libother.so"
        self.assertEqual(self.preload(other), f"{ours}:{other}")
        self.assertIn(("show", "other"), self.preloaded_into())
        self.assertIn(("show", "probe"), self.preloaded_into())

    def test_both_separators_are_understood(self):
        ours, other = lab / "libprobe.so", lab / "libother.so"
        self.assertEqual(self.preload(f"{other} libm.so.6:libdl.so.2"), f"{ours}:{other}:libm.so.6:libdl.so.2")
        self.assertEqual(self.preload(f": {other}::"), f"{ours}:{other}")

    def test_never_twice(self):
        ours, other = lab / "libprobe.so", lab / "libother.so"
        self.assertEqual(self.preload(f"{other}:{ours}"), f"{ours}:{other}")
        shutil.copy(other, lab / "libguv.so")
        self.assertEqual(self.preload(f"{lab / 'libguv.so'}:{other}"), f"{ours}:{other}")
        nested = self.show(lab.guv_run, lab / "show")["env"]
        self.assertEqual(nested["LD_PRELOAD"], ours)

    def test_a_sanitizer_stays_in_front(self):
        asan = subprocess.run(["gcc", "-print-file-name=libasan.so"], capture_output=True, text=True).stdout.strip()
        if not os.path.isabs(asan):
            self.skipTest("no libasan")
        env = {"LD_PRELOAD": asan, "ASAN_OPTIONS": "detect_leaks=0"}
        lab.build("show.c", SHOW, "show-asan", "-fsanitize=address")
        self.assertEqual(self.show(lab / "show-asan", env=env)["env"]["LD_PRELOAD"], f"{asan}:{lab / 'libprobe.so'}")


class Library(Case):
    """Where libguv.so is looked for."""

    def installed(self, bindir, libdir):
        root = tempfile.mkdtemp(dir=lab.dir)
        for directory in (bindir, libdir):
            os.makedirs(os.path.join(root, directory), exist_ok=True)
        shutil.copy(GUV_RUN, os.path.join(root, bindir, "guv-run"))
        library = os.path.join(root, libdir, "libguv.so")
        shutil.copy(lab / "libprobe.so", library)
        del self.env["GUV_LIBRARY"]
        return os.path.join(root, bindir, "guv-run"), library

    def test_is_found_beside_guv_run_in_its_build_tree_and_installed(self):
        multiarch = os.uname().machine + "-linux-gnu"
        for bindir, libdir in (("bin", "bin"), ("tools", "libguv_preload"), ("bin", "lib"), ("bin", f"lib/{multiarch}"),
                               ("bin", "lib64")):
            guv_run, library = self.installed(bindir, libdir)
            self.assertEqual(self.show(lab / "show", guv_run=guv_run)["env"]["LD_PRELOAD"], library)
            self.env["GUV_LIBRARY"] = ""
            self.assertEqual(self.show(lab / "show", guv_run=guv_run)["env"]["LD_PRELOAD"], library)
        # Through a link, as in /usr/local/bin -> /opt/guv/bin.
        os.symlink(guv_run, lab / "link-to-guv-run")
        self.assertEqual(self.show(lab / "show", guv_run=lab / "link-to-guv-run")["env"]["LD_PRELOAD"], library)

    def test_the_variable_goes_first_and_becomes_absolute(self):
        guv_run, _ = self.installed("bin", "bin")
        seen = self.show(lab / "show", guv_run=guv_run, cwd=lab.dir, env={"GUV_LIBRARY": "./libprobe.so"})
        self.assertEqual(seen["env"]["LD_PRELOAD"], lab / "libprobe.so")

    def test_missing(self):
        done = self.run_guv("true", env={"GUV_LIBRARY": "/no/libguv.so"})
        self.assert_refused(done, 2, "GUV_LIBRARY", "/no/libguv.so")
        del self.env["GUV_LIBRARY"]
        if os.path.exists("/usr/local/lib/x86_64-linux-gnu/libguv.so"):
            self.skipTest("guv is installed here")
        looked = (lab / "bin", lab / "lib")
        self.assert_refused(self.run_guv("true"), 2, "libguv.so was not found in", *looked, "GUV_LIBRARY")
        done = self.run_guv("--native-if-impossible", "sh", "-c", "echo started")
        self.assertEqual((done.returncode, done.stdout), (0, "started\n"))
        self.assertEqual(done.stderr.count("\n"), 1)

    def test_not_a_library(self):
        self.assert_refused(self.run_guv("true", env={"GUV_LIBRARY": lab / "plain"}), 2, "not a shared library")

    def test_that_cannot_be_read(self):
        if os.geteuid() != 0:
            self.skipTest("needs root, to become another user")
        library = lab.write("closed.so", "", 0o600)
        done = self.run_guv("true", env={"GUV_LIBRARY": library}, user=NOBODY)
        self.assert_refused(done, 2, "cannot be read: Permission denied")

    def test_a_path_that_ld_preload_cannot_hold(self):
        os.makedirs(lab / "a b", exist_ok=True)
        shutil.copy(lab / "libprobe.so", lab / "a b" / "libguv.so")
        self.assert_refused(self.run_guv("true", env={"GUV_LIBRARY": lab / "a b" / "libguv.so"}), 2, "space")


class Unreachable(Case):
    """Programs that LD_PRELOAD cannot reach are not started, unless the user says so."""

    def assert_unreachable(self, program, *words, **more):
        done = self.run_guv(program, **more)
        self.assert_refused(done, 126, *words, "--native-if-impossible")
        return done

    def assert_runs_natively(self, program, **more):
        done = self.run_guv("--native-if-impossible", "--stack-size=64K", "--verbose", program, "x", **more)
        self.assertEqual(done.returncode, 0, done)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        self.assertIn("warning: started without guv", done.stderr)
        seen = json.loads(done.stdout)
        self.assertEqual(seen["argv"][-1], "x")
        self.assertNotIn("LD_PRELOAD", seen["env"])
        self.assertNotIn("GUV_STACK_SIZE", seen["env"])

    def test_static(self):
        for name in ("static", "static-pie"):
            self.assert_unreachable(lab / name, f"'{lab / name}' is statically linked; LD_PRELOAD cannot reach it")
            self.assert_runs_natively(lab / name)

    def test_found_in_path_too(self):
        self.assert_unreachable("static", lab / "static", env={"PATH": lab.dir})

    def test_go(self):
        self.assert_unreachable(lab / "in-go", f"'{lab / 'in-go'}' is written in Go")
        self.assert_runs_natively(lab / "in-go")

    def test_musl(self):
        self.assert_unreachable(lab / "musl", "ld-musl-x86_64.so.1", "glibc")

    def test_loader_is_not_here(self):
        self.assert_refused(self.run_guv(lab / "no-loader"), 126, "/nowhere/ld-linux-x86-64.so.2", "not here")

    def test_other_class_and_machine(self):
        self.assert_unreachable(lab.patched("elf32", 4, b"\x01"), "word size")
        self.assert_unreachable(lab.patched("aarch64", 18, struct.pack("<H", 183)), "another machine")
        self.assert_unreachable(lab.patched("big-endian", 5, b"\x02"), "another machine")

    def test_the_loader_itself_is_reachable(self):
        loader = "/lib64/ld-linux-x86-64.so.2"
        if not os.path.exists(loader):
            self.skipTest("no " + loader)
        self.show(loader, lab / "show")
        self.assertTrue(self.preloaded_into())

    def privileged_copy(self, name, mode, uid, gid):
        if os.geteuid() != 0:
            self.skipTest("needs root, to give a file to another user")
        if os.statvfs(lab.dir).f_flag & os.ST_NOSUID:
            self.skipTest("the directory for temporary files is mounted nosuid")
        shutil.copy(lab / "show", lab / name)
        os.chown(lab / name, uid, gid)
        os.chmod(lab / name, mode)
        return lab / name

    def test_set_user_id(self):
        program = self.privileged_copy("setuid", 0o4755, NOBODY, 0)
        self.assert_unreachable(program, "is set-user-ID")
        self.assert_runs_natively(program)

    def test_set_user_id_of_a_root_program_for_a_user(self):
        self.assert_unreachable(self.privileged_copy("setuid-root", 0o4755, 0, 0), "is set-user-ID", user=NOBODY)

    def test_set_user_id_to_the_same_user_is_harmless(self):
        self.show(self.privileged_copy("setuid-same", 0o6755, 0, 0))
        self.assertEqual(self.preloaded_into(), [("setuid-same", "probe")])

    def test_set_user_id_without_new_privileges_is_harmless(self):
        program = self.privileged_copy("setuid-nnp", 0o4755, NOBODY, 0)
        if shutil.which("setpriv") is None:
            self.skipTest("no setpriv")
        done = self.run_plain("setpriv", "--no-new-privs", lab.guv_run, program)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(self.preloaded_into(), [("setuid-nnp", "probe")])

    def test_set_group_id(self):
        self.assert_unreachable(self.privileged_copy("setgid", 0o2755, 0, NOBODY), "is set-group-ID")
        self.show(self.privileged_copy("setgid-locking", 0o2745, 0, NOBODY))

    def test_file_capabilities(self):
        program = self.privileged_copy("capable", 0o755, 0, 0)
        # struct vfs_cap_data, revision 2, effective: cap_net_bind_service+ep
        capability = struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0)
        try:
            os.setxattr(program, "security.capability", capability)
        except OSError as error:
            self.skipTest(f"no file capabilities here: {os.strerror(error.errno)}")
        self.assert_unreachable(program, "file capabilities", user=NOBODY)
        self.show(program)  # root gains nothing by them
        self.assertEqual(self.preloaded_into(), [("capable", "probe")])


class Scripts(Case):
    """A script is as reachable as its interpreter."""

    def script(self, name, first_line, mode=0o755):
        return lab.write(name, first_line + "\nx\n", mode)

    def test_runs_through_its_interpreter(self):
        self.assertEqual(self.show(lab / "script", "a", "")["argv"], [lab / "show", "one two", lab / "script", "a", ""])
        self.assertEqual(self.preloaded_into(), [("show", "probe")])

    def test_env(self):
        path = {"PATH": f"{lab.dir}:/usr/bin:/bin"}
        for line in ("#!/usr/bin/env show", "#! /usr/bin/env  show ", "#!/usr/bin/env -S A=b show x",
                     "#!/usr/bin/env -S -u B show x", "#!/usr/bin/env -Sshow x"):
            self.assertIn(lab / "by-env", self.show(self.script("by-env", line), env=path)["argv"], line)

    def test_static_interpreter(self):
        script = self.script("by-static", f"#!{lab / 'static'}")
        done = self.run_guv(script)
        self.assert_refused(done, 126, f"'{script}' is a script", f"'{lab / 'static'}' is statically linked")
        script = self.script("by-env-static", "#!/usr/bin/env static")
        done = self.run_guv(script, env={"PATH": f"{lab.dir}:/usr/bin:/bin"})
        self.assert_refused(done, 126, f"'{script}' is a script", f"'{lab / 'static'}' is statically linked")
        script = self.script("by-env-s-static", "#!/usr/bin/env -S A=b static -x")
        self.assert_refused(self.run_guv(script, env={"PATH": f"{lab.dir}:/usr/bin:/bin"}), 126, lab / "static")
        done = self.run_guv("--native-if-impossible", lab / "by-static")
        self.assertEqual((done.returncode, done.stderr.count("\n")), (0, 1))

    def test_interpreter_that_is_a_script(self):
        outer = self.script("outer", f"#!{self.script('inner', '#!' + (lab / 'static'))}")
        self.assert_refused(self.run_guv(outer), 126, lab / "inner", lab / "static")
        outer = self.script("outer2", f"#!{lab / 'script'}")
        self.assertEqual(self.show(outer)["argv"], [lab / "show", "one two", lab / "script", outer])

    def test_interpreter_that_is_itself(self):
        self.assert_refused(self.run_guv(self.script("loop", f"#!{lab / 'loop'}")), 126, "too many interpreters")

    def test_missing_interpreter(self):
        script = self.script("orphan", "#!/no/such/python")
        self.assert_refused(self.run_guv(script), 126, script, "'/no/such/python' does not exist")
        script = self.script("orphan-env", "#!/usr/bin/env no-such-python")
        self.assert_refused(self.run_guv(script), 127, script, "'no-such-python'")

    def test_carriage_return_is_named(self):
        self.assert_refused(self.run_guv(self.script("dos", "#!/bin/sh\r")), 126, "'/bin/sh\\r' does not exist")

    def test_text_without_hash_bang_is_run_by_the_shell(self):
        for name, text in (("bare", 'echo "$0" "$@"\nexit 3\n'), ("bare-one-line", 'echo "$0" "$@"; exit 3')):
            script = lab.write(name, text, 0o755)
            done = self.run_guv(script, "a b", "")
            self.assertEqual((done.returncode, done.stdout), (3, f"{script} a b \n"), done)
        self.assertTrue(self.preloaded_into())
        done = self.run_guv("bare", "x", env={"PATH": f"{lab.dir}:/bin"})
        self.assertEqual((done.returncode, done.stdout), (3, f"{lab / 'bare'} x\n"), done)
        self.assertEqual(self.run_guv(lab.write("empty", "", 0o755)).returncode, 0)

    def test_binary_of_no_known_format(self):
        done = self.run_guv(lab.write("garbage", b"\x01\x00\x02\n" * 20, 0o755))
        self.assert_refused(done, 126, "Exec format error")


class Options(Case):
    """Options become environment variables for libguv.so."""

    def variables(self, *args, **more):
        env = self.show(*args, lab / "show", **more)["env"]
        return {k: v for k, v in env.items() if k.startswith("GUV_") and k != "GUV_LIBRARY"}

    def test_none_given_none_set(self):
        self.assertEqual(self.variables(), {})

    def test_stack_size(self):
        for text, size in (("65536", 65536), ("256K", 1 << 18), ("256k", 1 << 18), ("8M", 1 << 23), ("1G", 1 << 30)):
            for option in ([f"--stack-size={text}"], ["--stack-size", text]):
                self.assertEqual(self.variables(*option), {"GUV_STACK_SIZE": str(size)})
        too_big = ("99999999999999999999", "99999999999999G", "65537G")
        for text in ("", "x", "-1", "K", "12X", "8MB", "1.5M", " 64K", "16383", *too_big):
            self.assert_refused(self.run_guv(f"--stack-size={text}", "true"), 2, "--stack-size")

    def test_switches(self):
        self.assertEqual(self.variables("--no-dns"), {"GUV_NO_GREENDNS": "1"})
        self.assertEqual(self.variables("--no-patch-libc"), {"GUV_PATCH_LIBC": "0"})
        self.assertEqual(self.variables("--no-preempt"), {"GUV_PREEMPT": "0"})
        for option in ("--no-dns=1", "--verbose=yes", "--help=x", "--native-if-impossible=yes"):
            self.assert_refused(self.run_guv(option, "true"), 2, option.split("=")[0], "takes no value")

    def test_families(self):
        for given, passed in (("all", "all"), ("none", "none"), ("io", "io"), ("dns,time", "time,dns"),
                              ("all,-dns,-file,-signal", "time,io,socket,select,thread,process,sync"),
                              ("none,-sync", "none"), ("-sync,sync", "all"),
                              ("-dns", "time,io,socket,select,thread,process,file,signal,sync"),
                              ("none,io", "io"), ("io,-io", "none"), ("io,io", "io"),
                              ("time,io,socket,select,thread,dns,process,file,signal,sync", "all")):
            self.assertEqual(self.variables(f"--families={given}"), {"GUV_FAMILIES": passed}, given)
        self.assertEqual(self.variables("--families", "-dns,-time")["GUV_FAMILIES"],
                         "io,socket,select,thread,process,file,signal,sync")
        for given, passed in (("-sync", "all"), ("-dns,-sync", "time,io,socket,select,thread,process,file,signal,sync"),
                              ("io,sync,-sync", "io,sync")):
            run = self.run_guv(f"--families={given}", lab / "show")
            self.assertEqual(run.stderr, f"guv-run: --families={given}: "
                                         "sync stays on, for each of the other families needs it\n")
            self.assertEqual(json.loads(run.stdout)["env"]["GUV_FAMILIES"], passed)
        for given in ("", "sockets", "io,", ",", "-all", "-none", "--io", "IO", "io, dns"):
            self.assert_refused(self.run_guv(f"--families={given}", "true"), 2, "--families")
        self.assert_refused(self.run_guv("--families=sockets", "true"), 2, "'sockets'", "socket select thread")

    def test_native_threads(self):
        self.assertEqual(self.variables("--native-threads=libjvm.so,libtbb.so.12"),
                         {"GUV_NATIVE_THREADS": "libjvm.so,libtbb.so.12"})
        for given in ("", ",", "a,,b"):
            self.assert_refused(self.run_guv(f"--native-threads={given}", "true"), 2, "--native-threads")

    def test_report(self):
        self.assertEqual(self.variables("--report"), {"GUV_REPORT": "-"})
        self.assertEqual(self.variables("--report=-"), {"GUV_REPORT": "-"})
        self.assertEqual(self.variables("--report=/tmp/x"), {"GUV_REPORT": "/tmp/x"})
        self.assertEqual(self.variables("--report=x y", cwd=lab.dir), {"GUV_REPORT": lab / "x y"})
        self.assert_refused(self.run_guv("--report=/no/such/dir/file", "true"), 2, "--report", "No such file")
        self.assert_refused(self.run_guv(f"--report={lab.dir}", "true"), 2, "--report", "directory")

    def test_children(self):
        self.assertEqual(self.variables("--children=yes"), {"GUV_CHILDREN": "yes"})
        self.assertEqual(self.variables("--children", "no"), {"GUV_CHILDREN": "no"})
        self.assert_refused(self.run_guv("--children=maybe", "true"), 2, "--children", "yes nor no")

    def test_files(self):
        for where in ("auto", "hub", "helpers"):
            self.assertEqual(self.variables(f"--files={where}"), {"GUV_FILES": where})
        self.assert_refused(self.run_guv("--files=disk", "true"), 2, "--files", "none of auto, hub and helpers")

    def test_verbose(self):
        done = self.run_guv("--verbose", "sh", "-c", "echo $GUV_VERBOSE")
        self.assertEqual((done.returncode, done.stdout), (0, "1\n"))
        self.assertEqual(done.stderr.count("\n"), 1)
        self.assertIn(lab / "libprobe.so", done.stderr)

    def test_options_win_over_the_environment_and_the_last_over_the_first(self):
        self.assertEqual(self.variables("--stack-size=64K", "--stack-size=128K", env={"GUV_STACK_SIZE": "1"}),
                         {"GUV_STACK_SIZE": str(1 << 17)})
        self.assertEqual(self.variables(env={"GUV_PATCH_LIBC": "0"}), {"GUV_PATCH_LIBC": "0"})

    def test_parsing_stops_at_the_program(self):
        self.assertEqual(self.show(lab / "show", "--no-dns")["argv"], [lab / "show", "--no-dns"])
        self.assertEqual(self.variables("--no-dns", "--"), {"GUV_NO_GREENDNS": "1"})

    def test_help_and_version(self):
        done = self.run_guv("--help")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        for option in ("stack-size", "families", "no-dns", "no-patch-libc", "no-preempt", "files", "native-threads", "children",
                       "report", "verbose", "native-if-impossible", "help", "version"):
            self.assertIn("--" + option, done.stdout)
        self.assertLessEqual(max(map(len, done.stdout.splitlines())), 110)
        done = self.run_guv("--version")
        self.assertRegex(done.stdout, r"^guv-run \d+\.\d+\.\d+\n$")
        self.assertEqual(self.run_guv("--help", "--bogus").returncode, 0)

    def test_help_and_version_on_a_full_disk(self):
        for option in ("--help", "--version"):
            with open("/dev/full", "w") as full:
                done = subprocess.run([GUV_RUN, option], stdout=full, stderr=subprocess.PIPE)
            self.assertEqual((done.returncode, done.stderr), (2, b"guv-run: standard output cannot be written\n"))

    def test_help_and_manual_tell_the_same_options(self):
        manual = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docs/man/guv-run.1")
        if not os.path.exists(manual):
            self.skipTest("no manual page here")
        with open(manual) as file:
            in_manual = re.findall(r"^\.It Fl -([a-z-]+)", file.read(), re.MULTILINE)
        in_help = re.findall(r"^  --([a-z-]+)", self.run_guv("--help").stdout, re.MULTILINE)
        self.assertEqual(sorted(in_manual), sorted(in_help))

    def test_bad_usage(self):
        self.assert_refused(self.run_guv(), 2, "no program given", "--help")
        self.assert_refused(self.run_guv("--no-dns"), 2, "no program given")
        self.assert_refused(self.run_guv("--"), 2, "no program given")
        self.assert_refused(self.run_guv("--stack-size"), 2, "'--stack-size' needs a value")
        done = self.run_guv("--x", "true")
        self.assert_refused(done, 2)
        self.assertEqual(done.stderr, "guv-run: unknown option '--x' (see guv-run --help)\n")
        # No abbreviations: a later option must not change what a command line means today.
        self.assert_refused(self.run_guv("--stack=64K", "true"), 2, "unknown option '--stack'")
        self.assert_refused(self.run_guv("-x", "true"), 2, "unknown option '-x'")


class Result(unittest.TextTestResult):
    def printErrors(self):
        super().printErrors()
        for test, reason in self.skipped:
            self.stream.writeln(f"skipped: {test.id()}: {reason}")


if __name__ == "__main__":
    if GUV_RUN is None:
        sys.exit(__doc__)
    program = unittest.main(testRunner=unittest.TextTestRunner(resultclass=Result, verbosity=1), exit=False)
    result = program.result
    failed = len(result.failures) + len(result.errors)
    skipped = f" ({len(result.skipped)} skipped)" if result.skipped else ""
    print(f"{result.testsRun - failed - len(result.skipped)} passed, {failed} failed{skipped}")
    sys.exit(1 if failed else 0)
