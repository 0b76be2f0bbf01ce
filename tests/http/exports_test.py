"""libguv_http.so exports what its headers promise, and none of what is behind that or compiled into it.

Usage: exports_test.py path/to/libguv_http.so
"""
import re
import subprocess
import sys

HEADERS = re.compile(r'(typeinfo( name)? for |vtable for )?guv::v1::(http::)?\w+(::~?\w+)?(\[abi:cxx11\])?(\(.*)?')

lines = subprocess.run(['nm', '-DC', '--defined-only', sys.argv[1]], check=True, capture_output=True, text=True).stdout
names = {line.split(maxsplit=2)[-1].split('@')[0] for line in lines.splitlines()}
others = {name for name in names if not name.startswith('guv_') and not HEADERS.fullmatch(name)}
assert not others, sorted(others)
assert {'guv_http_server_new', 'guv::v1::http::Server::run()'} <= names, sorted(names)
