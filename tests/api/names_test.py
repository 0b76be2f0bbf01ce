"""docs/names.md tells of names that there are, and of tests that use them; every C function is called by one.

Usage: names_test.py path/to/the/sources
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(sys.argv[1])


def text_of(pattern):
    return '\n'.join(path.read_text() for path in sorted(ROOT.glob(pattern)))


def without_comments(text):
    return re.sub(r'//[^\n]*|/\*.*?\*/', '', text, flags=re.S)


headers = without_comments(text_of('include/guv/*.h'))
inline = without_comments(text_of('include/guv/**/*.hpp'))
tests = without_comments(text_of('tests/api/*.c*') + text_of('tests/http/*.c*') + text_of('tests/unit/*.cpp'))
table = [line for line in (ROOT / 'docs/names.md').read_text().splitlines() if line.startswith('|')]

functions = set(re.findall(r'GUV_(?:API|INLINE)[^;{]*?\b(guv_(?!detail)\w+)\s*\(', headers))
declared = set(re.findall(r'\bguv_\w+', headers))
failures = [f'{name}: no test calls it' for name in functions if not re.search(rf'\b{name}\b', tests + inline)]
for row in table:
    cells = row.split('|')
    for name, is_prefix in re.findall(r'`(guv_\w+)(…?)`', cells[3]):
        if name not in declared and not (is_prefix and any(each.startswith(name) for each in declared)):
            failures.append(f'{name}: in no header')
    paths = re.findall(r'`([\w/]+\.\w+)`', cells[4])
    failures += [f'{path}: no such test' for path in paths if not (ROOT / 'tests' / path).exists()]
    is_heading = cells[1].strip().startswith('**')
    failures += [f'{cells[1].strip()}: shown by no test'] * (is_heading and not paths)
assert len(table) > 50 and len(functions) > 150, 'the table, or the headers, are not where they were'
print('\n'.join(sorted(failures)))
sys.exit(bool(failures))
