"""Opens TCP connections and keeps them open without a word until its standard input ends; then resets them all.

Usage: idle_clients.py ADDRESS PORT COUNT SOURCE_ADDRESS...   Prints how many are open, once no more comes.
"""
import select
import socket
import struct
import sys
import time

IP_BIND_ADDRESS_NO_PORT = 24
ONCE = 512  # so many are on their way at a time
PATIENCE = 20  # seconds, for all of them

address, port, count, sources = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]
poll = select.epoll()
connections, waiting, opened = {}, set(), 0
deadline = time.monotonic() + PATIENCE
while opened < count and time.monotonic() < deadline:
    while len(waiting) < ONCE and len(connections) < count:
        connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        connection.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.bind((sources[len(connections) % len(sources)], 0))
        connection.connect_ex((address, port))
        connections[connection.fileno()] = connection
        waiting.add(connection.fileno())
        poll.register(connection, select.EPOLLOUT)
    events = poll.poll(1)
    for number, event in events:
        poll.unregister(number)
        waiting.discard(number)
        opened += not event & (select.EPOLLERR | select.EPOLLHUP)
    if not waiting and len(connections) == count:
        break
print(opened, flush=True)
sys.stdin.read()
