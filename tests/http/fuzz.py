"""Runs a libFuzzer target for a while, beginning with what the tests send. Usage: fuzz.py TARGET SECONDS"""
import os
import subprocess
import sys
import tempfile

target, seconds = sys.argv[1:]
del sys.argv[1:]

import malformed_test  # noqa: E402
import websocket_test  # noqa: E402


def seeds():
    for _, request in malformed_test.REQUESTS.values():
        yield request[:1000].encode('latin-1')
    for opcode in range(16):
        for payload in b'', b'payload', '\u03ba\U00010000'.encode(), b'\x03\xe8why', b'\xff':
            yield websocket_test.frame(opcode, payload)
            yield websocket_test.frame(opcode, payload, fin=False) + websocket_test.frame(0, payload)
            yield websocket_test.frame(opcode, websocket_test.deflated(payload * 20), rsv=4)


with tempfile.TemporaryDirectory() as corpus:
    for number, seed in enumerate(seeds()):
        with open(os.path.join(corpus, str(number)), 'wb') as file:
            file.write((b'\x03', b'\x83')[number % 2] + seed)
    sys.exit(subprocess.run([target, corpus, f'-max_total_time={seconds}', '-max_len=4096', '-print_final_stats=1',
                             '-verbosity=0', f'-artifact_prefix={target}-']).returncode)
