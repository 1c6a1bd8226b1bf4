# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Two ends for tests. `serve ADDRESS FIRST-LAST LOG [STATUS]`: a web server on these ports that adds each POST to LOG, a line of JSON, and answers with the
status that the file STATUS names, else 200. `hold ADDRESS PORT N`: N idle connections to a service, kept until it is ended."""
import http.server
import json
import os
import socket
import sys
import threading
import time

lock = threading.Lock()


class Server(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        with lock, open(sys.argv[4], "a", encoding="utf-8") as log:
            log.write(json.dumps({"at_ms": time.time_ns() // 1000000, "path": self.path, "facts": body}) + "\n")
        status = 200
        if len(sys.argv) > 5 and os.path.exists(sys.argv[5]):
            with open(sys.argv[5], encoding="utf-8") as file:
                status = int(file.read())
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class Many(http.server.ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A session that was reset is what tests are about."""


if sys.argv[1] == "serve":
    first, last = map(int, sys.argv[3].split("-"))
    for port in range(first, last + 1):
        threading.Thread(target=Many((sys.argv[2], port), Server).serve_forever).start()
    threading.Event().wait()
held = [socket.create_connection((sys.argv[2], int(sys.argv[3]))) for _ in range(int(sys.argv[4]))]
print("holds", len(held), flush=True)
threading.Event().wait()
