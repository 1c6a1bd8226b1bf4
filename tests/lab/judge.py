# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A webhook over TLS that judges as a file says: judge.py ADDRESS PORT FILE CERTIFICATE TOKEN. The file holds an HTTP status, or "hang"."""
import http.server
import ssl
import sys
import time


class Judge(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        facts = self.rfile.read(int(self.headers["Content-Length"]))
        with open(sys.argv[3]) as file:
            said = file.read().strip()
        if self.headers["Authorization"] != f"Bearer {sys.argv[5]}":
            said = "401"
        if said == "hang":
            time.sleep(60)
        body = f"the judge says {said}\n".encode()
        print(facts.decode(), said, flush=True)
        self.send_response(int(said))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Judge)
server.daemon_threads = True
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[4])
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
