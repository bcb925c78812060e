"""Connects to the service again and again; writes the time of each success, one a line, to a file. Ends on SIGTERM.

Usage: prober.py ADDRESS PORT FILE
"""
import socket
import sys
import time

address, port, path = sys.argv[1], int(sys.argv[2]), sys.argv[3]
with open(path, "w", buffering=1, encoding="ascii") as log:
    while True:
        started = time.monotonic()
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as connection:
            connection.settimeout(0.04)
            try:
                connection.connect((address, port))
                log.write(f"{time.monotonic():.6f}\n")
            except OSError:
                pass
        time.sleep(max(0.0, 0.02 - (time.monotonic() - started)))
