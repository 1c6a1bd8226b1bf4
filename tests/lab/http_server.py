# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""HTTP/1.1 that answers 500 to some requests: http_server.py ADDRESS PORT PERCENT."""
import http.server
import random
import socket
import sys


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(500 if random.random() * 100 < float(sys.argv[3]) else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
    request_queue_size = 100


Server((sys.argv[1], int(sys.argv[2])), Answer).serve_forever()
