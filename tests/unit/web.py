# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A web server that answers by the path, for unit tests: web.py [CERTIFICATE KEY]. Prints its port; ends with its stdin."""
import http.server
import json
import os
import ssl
import sys
import threading
import time
import urllib.parse

lock = threading.Lock()
at_once = most_at_once = questions = 0


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body=b"", headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def echo(self):
        said = {"method": self.command, "path": self.path, "authorization": self.headers.get("Authorization"),
                "type": self.headers.get("Content-Type"), "body": self.body}
        self.answer(200, json.dumps(said).encode())

    def gather(self, wanted):
        """Waits until so many are here at once, and a little longer, for one too many."""
        global at_once, most_at_once
        with lock:
            at_once += 1
            most_at_once = max(most_at_once, at_once)
        deadline = time.monotonic() + 10
        while most_at_once < wanted and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.1)
        with lock:
            at_once -= 1
        self.answer(200, str(most_at_once).encode())

    def prometheus(self):
        """The query is its own answer: a number, or what is wrong."""
        global questions
        query = urllib.parse.parse_qs(self.path.partition("?")[2]).get("query", [""])[0]
        with lock:
            questions += 1
        if query == "asked":
            query = str(questions)
        if query == "slow":
            time.sleep(60)
        if query == "broken":
            return self.answer(400, b'{"status":"error","errorType":"bad_data","error":"broken"}')
        series = [] if query == "empty" else [{"metric": {}, "value": [0, query]}]
        said = {"status": "success", "data": {"resultType": "vector", "result": series}}
        return self.answer(200, json.dumps(said).encode())

    def do_GET(self):
        self.body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        parts = self.path.split("?")[0].split("/")
        if parts[1] == "status":
            self.answer(int(parts[2]), ("first line\nanswer %s\n\n" % parts[2]).encode())
        elif parts[1] == "bytes":
            self.answer(200, b"x" * int(parts[2]))
        elif parts[1] == "redirect":
            self.answer(302, b"", [("Location", "/".join(parts[2:]) or "/echo")])
        elif parts[1] == "slow":
            time.sleep(60)
        elif parts[1] == "cut":
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(b"half")
            self.close_connection = True
        elif parts[1] == "gather":
            self.gather(int(parts[2]))
        elif parts[1:] == ["prometheus", "api", "v1", "query"]:
            self.prometheus()
        else:
            self.echo()

    do_POST = do_GET

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_):  # a client that goes, or does not trust us, is part of the tests
        pass


def main():
    server = Server(("127.0.0.1", 0), Handler)
    if len(sys.argv) == 3:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[1], sys.argv[2])
        server.socket = context.wrap_socket(server.socket, server_side=True)
    print(server.server_address[1], flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()
    os._exit(0)


main()
