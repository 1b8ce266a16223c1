"""A run's page while it trains, served to a browser: reads the run, and never writes or locks it.

Served are the page, what is new on it as JSON, and the pictures of this run's samples, by their own
listing; nothing else has an address. On other interfaces than loopback all addresses begin with a
token. On loopback a request must name a loopback host, so that no web page that a browser has open
reads the run by a name of its own that leads here (DNS rebinding). The accelerator is left to the
training: nothing here draws samples.
"""

import errno
import gzip
import hashlib
import hmac
import ipaddress
import json
import secrets
import socket
import socketserver
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, quote, unquote, urlsplit

from jaxgan.runs import evaluations, record
from jaxgan.runs.pictures import samples_of, title_of
from jaxgan.runs.report import Seen, figures_of, run_page, sections_of, see

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "frame-ancestors 'none'",  # The page's own says the rest.
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
ELSEWHERE = "jaxgan report shows this; the live page only reads what the run has written."


class Answer(NamedTuple):
    """What is sent back: an HTTP status, the kind of content, and the content."""

    status: int
    kind: str = "text/plain; charset=utf-8"
    body: bytes = b""


def answer(directory: Path, path: str, query: str) -> Answer:
    """What there is at an address.

    Args:
      directory: of the run.
      path: of the address, from its `/` on.
      query: of the address, after its `?`.
    """
    try:
        if path == "/":
            return Answer(200, "text/html; charset=utf-8", _page(directory).encode())
        if path == "/data":
            state = _state(directory)
            if parse_qs(query).get("since") == [state]:
                return Answer(204)
            return Answer(200, "application/json", json.dumps(_news(directory, state)).encode())
        for picture in samples_of(directory):
            if path == f"/samples/{picture.name}":
                return Answer(200, "image/png", picture.read_bytes())
    except (ValueError, OSError) as error:
        return Answer(500, body=str(error).encode())
    return Answer(404, body=b"there is nothing here")


def _page(directory: Path) -> str:
    state, seen = _state(directory), see(directory)
    return run_page(seen, _sections(directory, seen), state=state)


def _news(directory: Path, state: str) -> dict[str, Any]:
    seen = see(directory)
    return {
        "state": state,
        "sections": _sections(directory, seen),
        "figures": figures_of(seen),
    }


def _sections(directory: Path, seen: Seen) -> dict[str, str]:
    paths = samples_of(directory)
    samples = [(title_of(path), f"samples/{quote(path.name)}") for path in paths]
    return sections_of(seen, samples, ELSEWHERE, ELSEWHERE)


def _state(directory: Path) -> str:
    """Another text whenever the run's files are others; taken before they are read."""
    names = (record.FILE, "metrics.jsonl", evaluations.FILE)
    paths = [path for name in names if (path := directory / name).exists()]
    marks = [(path.name, path.stat().st_mtime_ns) for path in (*paths, *samples_of(directory))]
    return hashlib.sha256(repr(marks).encode()).hexdigest()[:16]


class Server(ThreadingHTTPServer):
    """Answers requests about a run, each in a thread of its own.

    Attributes:
      directory: of the run.
      token: that all addresses begin with; empty on loopback, where none is asked for.
      building: held while a page is made, one at a time.
    """

    daemon_threads = True

    def __init__(self, directory: Path, family: int, address: Any, token: str) -> None:
        self.directory, self.token, self.address_family = directory, token, family
        self.building = threading.Lock()
        super().__init__(address, _Handler)

    server_bind = socketserver.TCPServer.server_bind
    """`HTTPServer` would look up the machine's name, which may take seconds."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing of a reader who has gone."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: Server
    timeout = 30
    server_version, sys_version = "jaxgan", ""

    def do_GET(self) -> None:
        """Answers, or refuses who may not ask."""
        status, kind, body = self._answer()
        self.send_response(status)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        if body:
            if not kind.startswith("image/") and "gzip" in self.headers.get("Accept-Encoding", ""):
                body = gzip.compress(body, 1, mtime=0)
                self.send_header("Content-Encoding", "gzip")
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _answer(self) -> Answer:
        address, _, query = self.path.partition("?")
        path, token = unquote(address), self.server.token
        if token:
            given, slash, rest = path.removeprefix("/").partition("/")
            if not hmac.compare_digest(given.encode(), token.encode()):
                return Answer(403, body=b"the address lacks the token that jaxgan watch printed")
            path = slash + rest
        elif not _names_loopback(self.headers.get("Host", "")):
            return Answer(403, body=b"this is served to this machine alone")
        with self.server.building:
            return answer(self.server.directory, path, query)

    def log_message(self, format: str, *args: Any) -> None:
        """Prints nothing: the terminal is the user's."""


def open_server(directory: Path, host: str, port: int) -> Server:
    """A server of a run's page, which `serve_forever` lets answer.

    Args:
      directory: of the run.
      host: the interface, by name or address. Another than loopback's asks for a token.
      port: from 0 to 65535; 0 takes a free one.

    Raises:
      ValueError: when there is no such interface, or the port cannot be had.
    """
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        token = "" if _is_loopback(str(address[0])) else secrets.token_urlsafe(24)
        return Server(directory, family, address, token)
    except (OSError, UnicodeError) as error:
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            raise ValueError(f"port {port} of {host} is in use; port 0 takes a free one") from None
        why = getattr(error, "strerror", None) or error
        raise ValueError(f"nothing can be served on {host!r}, port {port}: {why}") from None


def address_of(server: Server) -> str:
    """What to open in a browser, token included."""
    host, port = map(str, server.server_address[:2])
    if ipaddress.ip_address(host).is_unspecified:
        host = socket.gethostname()
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}/{server.token}{'/' if server.token else ''}"


def _names_loopback(host: str) -> bool:
    """Whether a Host header, which may have a port, is of a loopback interface."""
    try:
        name = urlsplit(f"//{host}").hostname
    except ValueError:
        return False
    return name == "localhost" or _is_loopback(name or "")


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
