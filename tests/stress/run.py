#!/usr/bin/env python3
"""Runs the stress program natively for a while, then for as many rounds under guv, and fails unless both saw the same.

With --sanitizer it is run under the address-sanitized build of guv: that library goes in front of it.
"""
import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'integration'))
sys.dont_write_bytecode = True
from compare import describe_status, differences, fail, run  # noqa: E402

# Leaks: green threads' stacks are not looked through for pointers. The rest is guv's own business; see tests/unit.
ASAN_OPTIONS = 'detect_leaks=0:detect_stack_use_after_return=0:handle_segv=0:handle_sigbus=0:use_sigaltstack=0'


def last_rounds(outcome):
    lines = outcome.stdout.splitlines()
    if outcome.status != 0 or not lines or lines[-1] != 'EXIT-SUCCESS':
        fail(f'natively: {describe_status(outcome.status)}\n{outcome.stdout[-2000:]}{outcome.stderr[-2000:]}')
    return next(line.split()[1] for line in lines if line.startswith('rounds:'))


def compare(options, seed):
    command = [str(options.program), f'--seed={seed}', f'--threads={options.threads}']
    began = time.monotonic()
    native = run(command + [f'--seconds={options.seconds}'], None, 60 + 3 * options.seconds, {})
    rounds = last_rounds(native)
    half = time.monotonic()
    preload, extra = options.preload, {}
    if options.sanitizer:
        preload, extra = f'{options.sanitizer}:{preload}', {'ASAN_OPTIONS': ASAN_OPTIONS}
    guv = run(command + [f'--rounds={rounds}'], preload, 120 + 20 * options.seconds, extra)
    found = [differences(name, *texts) for name, *texts in (('stderr', native.stderr, guv.stderr),
                                                            ('stdout', native.stdout, guv.stdout))]
    if any(found) or guv.status != 0:
        fail('\n'.join([f'seed {seed}: {describe_status(guv.status)} under guv', *found]))
    if not any(event.get('event') == 'start' and event.get('pid') == guv.pid for event in guv.report):
        fail('nothing proves that guv was in the process')
    print(f'seed {seed}: {rounds} rounds of {options.threads} threads, {half - began:.1f} s natively, '
          f'{time.monotonic() - half:.1f} s under guv: the same')


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--preload', type=Path, required=True, help='libguv.so')
    parser.add_argument('--sanitizer', type=Path, help='libasan.so, for a libguv.so built with it')
    parser.add_argument('--seed', type=int, action='append', help='may be repeated (default: 1)')
    parser.add_argument('--seconds', type=int, default=60, help='for the native run (default: 60)')
    parser.add_argument('--threads', type=int, default=500)
    parser.add_argument('program', type=Path)
    options = parser.parse_args()
    options.preload, options.program = options.preload.resolve(), options.program.resolve()
    if options.sanitizer:
        options.sanitizer = options.sanitizer.resolve()
    for seed in options.seed or [1]:
        compare(options, seed)


if __name__ == '__main__':
    main()
