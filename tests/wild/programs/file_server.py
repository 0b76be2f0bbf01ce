"""file_server.py PORT DIRECTORY: http.server with HTTP/1.1 and a backlog for many clients at once."""

import functools
import http.server
import sys


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 1024


class Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass


Server(("", int(sys.argv[1])), functools.partial(Handler, directory=sys.argv[2])).serve_forever()
