# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Two ends that speak TLS. `serve CERTIFICATE KEY MS PORT:KIND:REQUESTS...`: answers each request after MS, and a goodbye by one.
`talk CERTIFICATE ADDRESS SESSIONS MS PORT:KIND:REQUESTS...`: so many sessions to each port, all at once, each of so many requests and a goodbye.
KIND is the version and what is special: 1.3, 1.3+again (the client has to say hello again), 1.3+resumes, 1.3+waits (before its first request)."""
import socket
import ssl
import sys
import threading
import time

REQUEST, ANSWER = b"r" * 300, b"a" * 2000


def read(connection, size):
    while size > 0:
        got = connection.recv(size)
        if not got:
            return False
        size -= len(got)
    return True


def answer(context, connection):
    connection = context.wrap_socket(connection, server_side=True)
    connection.settimeout(20)
    while read(connection, len(REQUEST)):
        time.sleep(float(sys.argv[4]) / 1000)
        connection.sendall(ANSWER)
    connection.unwrap()
    connection.close()


def serve(where):
    port, kind, _ = where.split(":")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[2], sys.argv[3])
    if kind.endswith("+again"):
        context.set_ecdh_curve("secp384r1")  # not the one that a client bets on
    listener = socket.create_server(("", int(port)), backlog=100)
    while True:
        threading.Thread(target=answer, args=(context, listener.accept()[0]), daemon=True).start()


def open_session(context, port, session=None):
    connection = socket.create_connection((sys.argv[3], port), timeout=20)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(connection, server_hostname="tls", session=session)


def talk(port, kind, requests, work):
    context = ssl.create_default_context(cafile=sys.argv[2])
    context.maximum_version = context.minimum_version = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}[kind[:3]]
    session = None
    for _ in range(2 if kind.endswith("+resumes") else 1):
        connection = open_session(context, port, session)
        if session and not connection.session_reused:
            sys.exit("not resumed")
        if kind.endswith("+waits"):
            time.sleep(0.1)
        for _ in range(requests):
            began = time.monotonic()
            connection.sendall(REQUEST)
            if not read(connection, len(ANSWER)):
                sys.exit("cut off")
            if time.monotonic() - began < work:
                sys.exit("too fast")
        session = connection.session
        connection.unwrap().close()
    done.append(port)


if sys.argv[1] == "serve":
    for place in sys.argv[5:]:
        threading.Thread(target=serve, args=(place,)).start()
else:
    done = []
    for place in sys.argv[6:]:
        words = place.split(":")
        for _ in range(int(sys.argv[4])):
            threading.Thread(target=talk, args=(int(words[0]), words[1], int(words[2]), float(sys.argv[5]) / 1000)).start()
    while threading.active_count() > 1:
        time.sleep(0.05)
    if len(done) != int(sys.argv[4]) * len(sys.argv[6:]):
        sys.exit(f"{len(done)} sessions only")
