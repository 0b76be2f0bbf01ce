#!/usr/bin/env python3
"""Runs a real, unmodified program natively and under guv and compares what a real client saw.

  wild.py CASE --lib PATH/libguv.so [--native-only | --guv-only]
  wild.py --list

Exit status: 0 the same, 1 not (with the reason), 77 skipped (with the reason).
"""

import argparse
import glob
import importlib
import os
import sys

import harness


def main():
    for file in sorted(glob.glob(os.path.join(harness.HERE, "case_*.py"))):
        importlib.import_module(os.path.basename(file)[:-3])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", nargs="?", choices=sorted(harness.CASES), metavar="CASE")
    parser.add_argument("--lib", help="the libguv.so to put to the test")
    parser.add_argument("--list", action="store_true", help="print the cases and end")
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--native-only", action="store_true")
    only.add_argument("--guv-only", action="store_true")
    options = parser.parse_args()
    if options.list:
        for name, case in sorted(harness.CASES.items()):
            print(f"{name:<16} {case.summary}")
        return 0
    if not options.case:
        parser.error("which case?")
    trials = ["native"] if options.native_only else ["guv"] if options.guv_only else ["native", "guv"]
    if "guv" in trials and not options.lib:
        parser.error("--lib says which libguv.so")
    if options.lib:
        # A preload that cannot be loaded is only a warning for the dynamic linker.
        options.lib = os.path.realpath(options.lib)
        if not os.path.exists(options.lib):
            parser.error(f"{options.lib} does not exist")
    return harness.run(harness.CASES[options.case], options.lib, trials)


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    sys.exit(main())
