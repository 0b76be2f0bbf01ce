"""tools/gdb/guv.py: the green threads of a live process, and of a core file, as gdb shows them.

Usage: gdb_test.py path/to/guv.py path/to/libguv.so path/to/gdb_parked
"""

import contextlib
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

HELPER, LIBRARY, PROGRAM = (os.path.abspath(path) for path in sys.argv[1:4])
SKIPPED = 77


def gdb(*arguments, commands):
    """What gdb prints."""
    options = [word for command in ('set width 0', f'source {HELPER}', *commands) for word in ('-ex', command)]
    done = subprocess.run(['gdb', '-nx', '-batch', *arguments, *options],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=240)
    return done.stdout + done.stderr


@contextlib.contextmanager
def stopped_program(directory, preload=LIBRARY):
    """The program, once it has stopped itself."""
    program = subprocess.Popen([PROGRAM], cwd=directory, env={**os.environ, 'LD_PRELOAD': preload})
    try:
        os.waitpid(program.pid, os.WUNTRACED)
        yield program
    finally:
        program.kill()
        program.wait()


def refusal():
    """Why gdb cannot look at a process here; None when it can."""
    if not shutil.which('gdb'):
        return 'gdb is not installed'
    if 'python works' not in gdb(commands=['python print("python works")']):
        return 'gdb has no Python'
    with stopped_program('/') as program:
        answer = gdb('-p', str(program.pid), commands=['info registers rip'])
    return None if 'rip ' in answer else 'gdb may not attach to processes here'


class Gdb(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name

    def check_backtrace(self, text):
        """All threads, each kind once."""
        self.assertRegex(text, r'3 green threads \(parked\): 3 4 5\n'
                               r'(    .*\n)?    wait_for_signal at .*\n    waiter at ')
        self.assertRegex(text, r'Green thread 2 "reader" \(parked\), pthread_t 0x[0-9a-f]+\n'
                               r'    read\n    wait_for_bytes at .*gdb_parked.c:\d+\n    reader at ')
        self.assertRegex(text, r'Green thread 1 \(running\), pthread_t 0x[0-9a-f]+\n(    .*\n)?    main at ')
        self.assertRegex(text, r'Green thread 6 \(ready\), pthread_t 0x[0-9a-f]+\n    has not begun not_begun\n')

    def test_a_live_process(self):
        with stopped_program(self.directory) as program:
            commands = ['guv threads', 'guv backtrace', 'echo only\\n', 'guv backtrace 2']
            text = gdb('-p', str(program.pid), commands=commands)
        self.assertRegex(text, r' 2 parked +0x[0-9a-f]+ reader +read in wait_for_bytes at ')
        self.assertRegex(text, r' 6 ready +0x[0-9a-f]+ - +has not begun not_begun\n')
        self.check_backtrace(text)
        only = text.partition('only\n')[2]
        self.assertIn('Green thread 2 "reader"', only)
        self.assertNotIn('waiter', only)

    def test_a_selected_thread(self):
        with stopped_program(self.directory) as program:
            commands = ['guv select 2', 'frame function wait_for_bytes', 'print secret', 'guv select', 'backtrace',
                        'guv select 99', 'detach']
            text = gdb('-p', str(program.pid), commands=commands)
            os.kill(program.pid, signal.SIGCONT)
            self.assertEqual(program.wait(60), 0)  # nothing in it has been changed
        self.assertIn('$1 = 4711', text)
        self.assertRegex(text.partition('$1 = 4711')[2], r'#\d+ .* main \(')
        self.assertIn('There is no green thread 99.', text)

    def test_a_core_file(self):
        resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)
        with stopped_program(self.directory) as program:
            program.send_signal(signal.SIGABRT)
            program.send_signal(signal.SIGCONT)
            program.wait(60)
        cores = list(pathlib.Path(self.directory).glob('core*'))
        if not cores:
            self.skipTest('the kernel writes no core file here')
        self.check_backtrace(gdb(PROGRAM, str(cores[0]), commands=['guv backtrace']))

    def test_a_process_without_guv(self):
        with stopped_program(self.directory, preload='') as program:
            self.assertIn('No guv in this process', gdb('-p', str(program.pid), commands=['guv threads']))

    def test_no_process(self):
        self.assertIn('There is no process', gdb(PROGRAM, commands=['guv backtrace']))


if __name__ == '__main__':
    if why_not := refusal():
        print(f'skipped: {why_not}')
        sys.exit(SKIPPED)
    unittest.main(argv=sys.argv[:1], verbosity=2)
