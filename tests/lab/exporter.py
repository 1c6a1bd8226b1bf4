# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Serves one file as metrics in Prometheus' text format: exporter.py ADDRESS PORT FILE. The file may be replaced at any time."""
import http.server
import sys


class Exporter(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with open(sys.argv[3], "rb") as metrics:
            body = metrics.read()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Exporter).serve_forever()
