"""A server of the tests' own."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


class Server(ThreadingHTTPServer):
    """A server that gives one answer to everything, and counts."""

    body: bytes
    name: str
    """The last part of its address."""
    status = 200
    length: int | None = None
    asked = 0
    waits_for: threading.Barrier | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/texts/{self.name}"

    def handle_error(self, *_: object) -> None:
        """Pass over a client that didn't wait for the answer: that is what a test is about."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked += 1
        if self.server.waits_for:
            self.server.waits_for.wait(10)
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(self.server.length or len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serve(body: bytes, name: str) -> Iterator[Server]:
    """Give a server that is running, and stop it in the end."""
    with Server(("127.0.0.1", 0), Handler) as made:
        made.body, made.name = body, name
        thread = threading.Thread(target=partial(made.serve_forever, poll_interval=0.01))
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def forget_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing of the environment stand between a test and its server."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
