"""libguv_http.so exports guv's names, and none of what is compiled into it. Usage: exports_test.py path/to/libguv_http.so"""
import subprocess
import sys

lines = subprocess.run(['nm', '-D', '--defined-only', sys.argv[1]], check=True, capture_output=True, text=True).stdout
names = {line.split()[-1].split('@')[0] for line in lines.splitlines()}
others = {name for name in names if not name.startswith('guv_') and '3guv2v1' not in name}
assert not others, sorted(others)
assert {'guv_http_server_new', '_ZN3guv2v14http6Server3runEv'} <= names, sorted(names)
