#!/usr/bin/env python3
"""Prints {number, "name"}, for each system call that the C compiler's <sys/syscall.h> knows.

Usage: syscall_names.py COMPILER...
"""
import re
import subprocess
import sys

macros = subprocess.run([*sys.argv[1:], "-E", "-dM", "-include", "asm/unistd.h", "-xc", "/dev/null"], check=True,
                        capture_output=True, text=True).stdout
for name, number in re.findall(r"^#define __NR_(\w+) (\d+)$", macros, re.MULTILINE):
    print(f'{{{number}, "{name}"}},')
