#!/usr/bin/env python3
"""A row that no test calls fails: every handled name of the table is called by a test program.

Called means: a program imports it, or names it in BY_NAME(…) of tests/surface/programs (private names and aliases, found
by dlsym), or it is listed below with the way by which it is reached.
"""
import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
import symbols  # noqa: E402

OTHERWISE = {
    "__libc_start_main": "every program's first call",
}


def imports(programs):
    output = subprocess.run(["nm", "-D", "--undefined-only", *programs], capture_output=True, text=True).stdout
    return {line.split()[-1].split("@")[0] for line in output.splitlines() if line.strip()}


def main():
    called = set(OTHERWISE) | imports(sys.argv[1:])
    for source in Path(__file__).with_name("programs").glob("*.c*"):
        called |= set(re.findall(r"\bBY_NAME\(\s*(\w+)", source.read_text()))
    missing = [row for row in symbols.read_table() if row.handled and row.name not in called]
    for row in missing:
        print(f"{row.name} ({row.family}, {row.kind.lower()}): no test program calls it")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
