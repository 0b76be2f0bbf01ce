"""socketserver_echo.py PORT: answers each line in capitals, numbered per connection; says how many on SIGTERM."""

import signal
import socketserver
import sys
import threading

mine = threading.local()
lock = threading.Lock()
served = {"connections": 0, "lines": 0}


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        mine.lines = 0
        for line in self.rfile:
            mine.lines += 1
            self.wfile.write(b"%d: %s" % (mine.lines, line.upper()))
        with lock:
            served["connections"] += 1
            served["lines"] += mine.lines


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    request_queue_size = 1024


with Server(("127.0.0.1", int(sys.argv[1])), Handler) as server:
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    server.serve_forever()
# Leaving the with joined every connection's thread.
print(f"{served['connections']} connections, {served['lines']} lines")
