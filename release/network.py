#!/usr/bin/env python3
"""A small network on loopback: a name server on 127.0.0.77:53, and a listener on 127.0.0.1:8443 that accepts and closes.

Every name has the address 127.0.0.1 and no IPv6 address; the names asked for are appended to the file that is named first.
"""

import socket
import struct
import sys
import threading


def accept() -> None:
    """Lets everybody connect."""
    listener = socket.create_server(("127.0.0.1", 8443))
    while True:
        connection, _ = listener.accept()
        connection.recv(4096)
        connection.close()


server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.77", 53))
threading.Thread(target=accept, daemon=True).start()
with open(sys.argv[1], "a", encoding="ascii", buffering=1) as asked:
    asked.write("ready\n")
    while True:
        query, client = server.recvfrom(4096)
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1 : at + 1 + query[at]].decode("ascii"))
            at += 1 + query[at]
        question = query[12 : at + 5]
        kind = struct.unpack(">H", query[at + 1 : at + 3])[0]
        asked.write(".".join(labels) + "\n")
        answers = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + bytes([127, 0, 0, 1]) if kind == 1 else b""
        # RFC 1035, 4.1.1: an answer, recursion desired and available.
        header = query[:2] + struct.pack(">HHHHH", 0x8180, 1, 1 if answers else 0, 0, 0)
        server.sendto(header + question + answers, client)
