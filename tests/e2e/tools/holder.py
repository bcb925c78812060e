"""Keeps HTTP connections to the service open, and asks through them when told.

Usage: holder.py ADDRESS PORT. Each line of standard input is a command, each answer one line of JSON: the page that every
open connection gets, in the order of opening (null where it is broken).
  open N       opens N more and asks through these        close PAGE   closes those that got this page
  ask          asks through all
"""
import http.client
import json
import sys

address, port = sys.argv[1], int(sys.argv[2])
connections = []  # [connection, page]


def ask(entry):
    try:
        entry[0].sock or entry[0].connect()
        entry[0].auto_open = 0  # a broken connection stays broken
        entry[0].request("GET", "/")
        entry[1] = entry[0].getresponse().read().decode().strip()
    except (OSError, http.client.HTTPException):
        entry[1] = None


for line in sys.stdin:
    command, *words = line.split()
    asked = connections
    if command == "open":
        asked = [[http.client.HTTPConnection(address, port, timeout=5), None] for _ in range(int(words[0]))]
        connections += asked
    elif command == "close":
        for connection, page in connections:
            if page == words[0]:
                connection.close()
        asked = connections = [entry for entry in connections if entry[1] != words[0]]
    if command != "close":
        for entry in asked:
            ask(entry)
    print(json.dumps([page for _, page in asked]), flush=True)
