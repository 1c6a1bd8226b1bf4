# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""WebSockets by a library: a server that greets with its version and echoes, and a client that holds many sessions.

websocket.py serve LABEL PORT
websocket.py talk URL SESSIONS     prints who greeted; then for each line on stdin sends on every session, and says how it went
"""
import asyncio
import collections
import os
import sys

import websockets

LARGE = 1 << 20


async def serve(label, port):
    async def session(socket):
        await socket.send(label)
        turn = 0
        async for message in socket:
            turn += 1
            await socket.send(f"{label} {turn}")
            await socket.send(message)

    async with websockets.serve(session, None, port, max_size=2 * LARGE):
        print("listening", flush=True)
        await asyncio.Future()


async def turn(socket, label, number):
    message = os.urandom(LARGE if number == 1 else 1000)
    await socket.send(message)
    greeting = await socket.recv()
    echo = await socket.recv()
    return greeting == f"{label} {number}" and echo == message


async def talk(url, count):
    sockets = [await websockets.connect(url, max_size=2 * LARGE, ping_interval=0.2) for _ in range(count)]
    labels = [await socket.recv() for socket in sockets]
    found = collections.Counter(labels)
    print(" ".join(f"{label}:{found[label]}" for label in sorted(found)), flush=True)
    number = 0
    while (await asyncio.to_thread(sys.stdin.readline)).strip() == "turn":
        number += 1
        right = await asyncio.gather(*(turn(s, label, number) for s, label in zip(sockets, labels)))
        print("all as before" if all(right) else f"{right.count(False)} sessions went wrong", flush=True)
    for socket in sockets:
        await socket.close()


if sys.argv[1] == "serve":
    asyncio.run(serve(sys.argv[2], int(sys.argv[3])))
else:
    asyncio.run(talk(sys.argv[2], int(sys.argv[3])))
