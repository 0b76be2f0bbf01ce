#!/usr/bin/env python3
"""Reads libguv_preload/symbols.def, the table of the libc names that guv knows, and compares it with the world.

  symbols.py                        writes docs/symbols.md
  symbols.py --check                is docs/symbols.md up to date, and has every name one row?
  symbols.py --exports LIBGUV       does the library export the handled names, and nothing else but guv_…?
  symbols.py --libc [LIBC]          does libc have each of these names, and has each alias of them in libc a row?
"""
import argparse
import collections
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "libguv_preload" / "symbols.def"
DOCUMENT = ROOT / "docs" / "symbols.md"

HANDLED = ("SYMBOL", "ENTRY", "INNER", "ALIAS")
EXPORTED = ("SYMBOL", "ENTRY", "ALIAS")

# Names that guv exports for programs made with another libc than the one it is tested on.
NOT_IN_EVERY_LIBC = {
    "pidfd_spawn": "since 2.39", "pidfd_spawnp": "since 2.39", "sched_getattr": "since 2.41", "sched_setattr": "since 2.41",
}


class Row:
    def __init__(self, kind, arguments, line):
        self.kind = kind
        self.name = arguments[0]
        self.rest = arguments[1:]
        self.line = line
        self.of = self.rest[0] if kind == "ALIAS" else None
        self.family = None if kind == "ALIAS" else self.rest[0]

    handled = property(lambda self: self.kind in HANDLED)
    exported = property(lambda self: self.kind in EXPORTED)


def read_table(path=TABLE):
    """The rows, aliases with the family of what they stand for."""
    text = re.sub(r"//[^\n]*", "", path.read_text())
    rows = []
    for match in re.finditer(r"^[ \t]*GUV_(SYMBOL|ENTRY|INNER|ALIAS|SAFE|GAP)\s*\(((?:[^()\"]|\"(?:[^\"\\]|\\.)*\")*)\)",
                             text, re.M):
        words = re.findall(r"((?:\"(?:[^\"\\]|\\.)*\"\s*)+|[^,\"]+)(?:,|$)", match[2])
        arguments = ["".join(re.findall(r'"((?:[^"\\]|\\.)*)"', word)) if '"' in word else word.strip() for word in words]
        rows.append(Row(match[1], arguments, text.count("\n", 0, match.start()) + 1))
    by_name = {row.name: row for row in rows}
    for row in rows:
        target, steps = row, 0
        while target is not None and target.of and steps < 5:
            target, steps = by_name.get(target.of), steps + 1
        row.family = target.family if target is not None else None
    return rows


def problems_of_table(rows):
    count = collections.Counter(row.name for row in rows)
    found = [f"{name} has {number} rows" for name, number in count.items() if number > 1]
    found += [f"{row.name} is of the family always and does not say why, or says so and is not" for row in rows
              if row.kind in ("SYMBOL", "ENTRY", "INNER") and (row.family == "always") != (len(row.rest) == 4)]
    names = {row.name for row in rows if row.handled}
    found += [f"{row.name} is an alias of {row.of}, which has no wrapper" for row in rows if row.of and row.of not in names]
    expected = len(re.findall(r"^[ \t]*GUV_[A-Z]+\s*\(", TABLE.read_text(), re.M))
    if len(rows) != expected:
        found.append(f"{expected} rows begin and {len(rows)} were understood: is one not a complete line?")
    return found


# ---- the document ---------------------------------------------------------------------------------------------------

def cell(text):
    return text.replace("|", "\\|")


def by_reason(rows):
    groups = collections.OrderedDict()
    for row in rows:
        groups.setdefault(row.rest[1], []).append(row.name)
    return groups.items()


def document(rows):
    lines = ["# The names that guv knows", "",
             "Made by `tools/symbols.py` from `libguv_preload/symbols.def`; do not edit.", ""]
    handled = [row for row in rows if row.handled]
    safe = [row for row in rows if row.kind == "SAFE"]
    gaps = [row for row in rows if row.kind == "GAP"]
    lines += [f"{len(handled)} names are handled, {len(safe)} need nothing, {len(gaps)} are known gaps: they can hold up "
              "all green threads while they last.", "",
              "*entry* names are also patched inside libc, so that libc's own calls arrive too; *inner* ones are only that.",
              "", "Names of the family *always* lead to guv whatever families are switched on.", ""]
    families = list(dict.fromkeys(row.family for row in rows))
    for family in families:
        mine = [row for row in rows if row.family == family]
        lines += [f"## {family}", ""]
        main = [row for row in mine if row.kind in ("SYMBOL", "ENTRY", "INNER")]
        if main:
            others = collections.defaultdict(list)
            by_name = {row.name: row for row in rows}
            for row in mine:
                target = row
                while target.of:
                    target = by_name[target.of]
                if target is not row:
                    others[target.name].append(row.name)
            for why in dict.fromkeys(tuple(row.rest[3:]) for row in main):
                lines += [f"Because {why[0]}:", ""] if why else []
                lines += ["| name | how it is tried | waits on | also as |", "|---|---|---|---|"]
                for row in main:
                    if tuple(row.rest[3:]) != why:
                        continue
                    mark = {"ENTRY": " *entry*", "INNER": " *inner*"}.get(row.kind, "")
                    also = ", ".join(f"`{name}`" for name in others[row.name])
                    lines.append(f"| `{row.name}`{mark} | {cell(row.rest[1])} | {cell(row.rest[2])} | {also} |")
                lines.append("")
        for title, kind in (("Needs nothing", "SAFE"), ("Gaps", "GAP")):
            groups = by_reason([row for row in mine if row.kind == kind])
            if groups:
                lines += [f"{title}:", ""]
                lines += [f"- {reason}: " + ", ".join(f"`{name}`" for name in names) for reason, names in groups]
                lines.append("")
    return "\n".join(lines).rstrip() + "\n"


# ---- libraries ------------------------------------------------------------------------------------------------------

def dynamic_functions(library):
    """{name: {(address, kind, version)}} of what the library defines for others."""
    output = subprocess.run(["nm", "-D", "--defined-only", str(library)], check=True, capture_output=True, text=True).stdout
    found = collections.defaultdict(set)
    for line in output.splitlines():
        address, kind, name = line.split(None, 2)
        if kind not in "Aa":  # version definitions
            name, _, version = name.replace("@@", "@").partition("@")
            found[name].add((int(address, 16), kind, version))
    return found


def problems_of_exports(rows, library):
    exports = dynamic_functions(library)
    wanted = {row.name for row in rows if row.exported}
    found = [f"{name} has a row and is not exported" for name in sorted(wanted - exports.keys())]
    found += [f"{name} is exported and has no row that says so" for name in sorted(exports.keys() - wanted)
              if not name.startswith("guv_")]
    return found


def running_libc():
    for line in Path("/proc/self/maps").read_text().splitlines():
        path = line.split(None, 5)[-1]
        if re.search(r"/libc(\.so\.6|-2\.\d+\.so)$", path):
            return path
    sys.exit("symbols.py: which libc? Say --libc PATH")


def problems_of_libc(rows, libc):
    functions = dynamic_functions(libc)
    by_name = {row.name: row for row in rows}
    found = []
    at = collections.defaultdict(set)
    for name, places in functions.items():
        for address, kind, _ in places:
            if kind in "TtWwi":
                at[address].add(name)
    for row in rows:
        if not row.handled:
            continue
        if row.name not in functions:
            if row.name not in NOT_IN_EVERY_LIBC:
                found.append(f"{row.name} has a row (line {row.line}) and is not in {libc}")
            continue
        same = set().union(*(at[address] for address, _, _ in functions[row.name]))
        relatives = {f"__{row.name}_chk", f"{row.name}64", f"__{row.name}", f"__{row.name}64", f"__libc_{row.name}"}
        for other in sorted(same | (relatives & functions.keys())):
            private = all(version == "GLIBC_PRIVATE" for _, _, version in functions[other])
            if other in same and private and by_name.get(row.of, row).kind in ("ENTRY", "INNER"):
                continue  # only libc calls it, and finds the patched entry
            if other not in by_name:
                reason = "is the same function" if other in same else "is a relative"
                found.append(f"{other} {reason} of {row.name} in libc and has no row")
    return sorted(set(found))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--exports", metavar="LIBGUV")
    parser.add_argument("--libc", metavar="LIBC", nargs="?", const="")
    options = parser.parse_args()
    rows = read_table()
    found = problems_of_table(rows)
    if options.exports:
        found += problems_of_exports(rows, options.exports)
    if options.libc is not None:
        found += problems_of_libc(rows, options.libc or running_libc())
    if options.check:
        if not DOCUMENT.exists() or DOCUMENT.read_text() != document(rows):
            found.append("docs/symbols.md is out of date: run tools/symbols.py")
    elif not options.exports and options.libc is None and not found:
        DOCUMENT.write_text(document(rows))
    for problem in found:
        print(problem)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
