"""Sends Ethernet frames as they are. Usage: frames.py INTERFACE HEX..."""
import socket
import sys

with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as door:
    door.bind((sys.argv[1], 0))
    for frame in sys.argv[2:]:
        door.send(bytes.fromhex(frame).ljust(60, b"\0"))
