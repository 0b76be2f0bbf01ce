#!/usr/bin/env python3
"""A program built with ThreadSanitizer keeps its kernel threads under guv, which says so, and the sanitizer finds what it finds
natively.

thread_sanitizer_test.py LIBRARY PROGRAM
"""
import sys
from pathlib import Path

from compare import describe_status, fail, run

LIBRARY, PROGRAM = (Path(argument).resolve() for argument in sys.argv[1:3])
SKIPPED = 77


def outcome(preload, *arguments):
    """Output, status, whether a race was reported, and what guv said."""
    result = run([str(PROGRAM), *arguments], preload, 60, {})
    if "unexpected memory mapping" in result.stderr:
        print("this ThreadSanitizer cannot run with the kernel's address space randomisation")
        sys.exit(SKIPPED)
    said = [line for line in result.stderr.splitlines() if line.startswith("guv: ")]
    return (result.stdout, describe_status(result.status), "data race" in result.stderr), said


for arguments, racy in ((), False), (("race",), True):
    natively, _ = outcome(None, *arguments)
    under_guv, said = outcome(LIBRARY, *arguments)
    if natively[2] != racy:
        fail(f"natively: {natively}")
    if under_guv != natively:
        fail(f"natively {natively}\nunder guv {under_guv}")
    if len(said) != 1 or "ThreadSanitizer" not in said[0]:
        fail(f"guv said {said}")
