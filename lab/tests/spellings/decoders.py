"""How programs in Python, and others whose rules are written here, read a path. A line of JSON in: a path as it stands on the wire, each byte one character.
A line out: {decoder: what it takes the path for}, or null where it refuses."""
import json
import posixpath
import sys
from urllib.parse import unquote_to_bytes, urlsplit


def plain(path):
    return unquote_to_bytes(path.encode("latin-1")).decode("latin-1")


def without_query(path):
    return path.split("?", 1)[0]


DECODERS = {
    # http.server, wsgiref, asgi servers
    "wsgi": lambda path: plain(without_query(path)),
    "urlsplit": lambda path: plain(urlsplit(path).path),
    # CWE-174: a gateway behind the gateway decodes first
    "twice": lambda path: plain(plain(without_query(path))),
    # file servers
    "normpath": lambda path: posixpath.normpath(plain(without_query(path))),
    # Jakarta Servlet 6 section 3.5.2: parameters are cut off, then decoded, then dot segments are resolved
    "servlet": lambda path: posixpath.normpath(
        plain("/".join(segment.split(";")[0] for segment in without_query(path).split("/")))
    ),
    # Windows, IIS
    "backslash": lambda path: posixpath.normpath(plain(without_query(path)).replace("\\", "/")),
    # C strings
    "nul": lambda path: plain(without_query(path)).split("\0")[0],
    # who cuts a fragment off
    "fragment": lambda path: plain(without_query(path.split("#", 1)[0])),
}

for line in sys.stdin:
    path, answer = json.loads(line), {}
    for name, decode in DECODERS.items():
        try:
            answer[name] = decode(path)
        except ValueError:
            answer[name] = None
    print(json.dumps(answer))
