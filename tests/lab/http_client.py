# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Short HTTP sessions of three requests, until it is ended: http_client.py ADDRESS PORT THREADS. What is refused is tried again."""
import http.client
import sys
import threading
import time


def ask():
    while True:
        connection = http.client.HTTPConnection(sys.argv[1], int(sys.argv[2]), timeout=5)
        try:
            for _ in range(3):
                connection.request("GET", "/")
                connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            pass
        connection.close()
        time.sleep(0.02)


for _ in range(int(sys.argv[3])):
    threading.Thread(target=ask).start()
