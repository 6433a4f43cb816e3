"""Real receivers of notifications on loopback: a web hook and a mail server."""

from __future__ import annotations

import email
import email.policy
import json
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from benchmark_tasks.settings import Settings

CANARY = "canary-7d1f04"


@dataclass
class Mail:
    """What a mail server received: (subject, text, HTML), and when."""

    port: int
    received: list[tuple[str, str, str]] = field(default_factory=list)
    moments: list[datetime] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"mailto://127.0.0.1:{self.port}?from=jb@example.org&to=op@example.org&mode=insecure"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        bodies = (message.get_body((kind,)) for kind in ("plain", "html"))
        text, html = (body.get_content() if body else "" for body in bodies)
        self.moments.append(datetime.now(UTC))
        self.received.append((message["subject"], text, html))
        return "250 OK"


@contextmanager
def mail_server() -> Iterator[Mail]:
    """A mail server on a free port."""
    from aiosmtpd.controller import Controller

    logging.getLogger("mail.log").setLevel(logging.WARNING)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    mail = Mail(port)
    controller = Controller(mail, hostname="127.0.0.1", port=port)
    controller.start()
    yield mail
    controller.stop()


class Hook(ThreadingHTTPServer):
    """A web hook. received: every JSON that came; moments: when.

    moved: it answers every message with a redirection to a page for people. largest: of a body, in bytes.
    held: it answers once this is set.
    """

    def __init__(self, port: int = 0) -> None:
        self.moved = False
        self.largest = 10**9
        self.held: threading.Event | None = None
        self.moments: list[datetime] = []
        self.received: list[dict[str, Any]] = []
        super().__init__(("127.0.0.1", port), _HookHandler)
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def address(self) -> str:
        return f"json://user:{CANARY}@127.0.0.1:{self.server_port}/"

    @property
    def titles(self) -> list[str]:
        return [str(each["title"]).partition(": ")[2] for each in self.received]


class _HookHandler(BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.server.held is not None:
            self.server.held.wait(60)
        if self.server.moved or len(body) > self.server.largest:
            self.send_response(302 if self.server.moved else 413)
            self.send_header("Location", "/login")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.server.moments.append(datetime.now(UTC))
        self.server.received.append(json.loads(body))
        self.send_response(200)
        self.end_headers()

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *arguments: Any) -> None:
        pass


@contextmanager
def receiver_that_never_ends() -> Iterator[str]:
    """An address whose server sends a byte of its answer now and then, and never the whole."""
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            with suppress(OSError):
                connection, _ = listening.accept()
                with connection:
                    while not ended.wait(0.05):
                        connection.sendall(b"H")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        try:
            yield f"json://127.0.0.1:{listening.getsockname()[1]}/"
        finally:
            ended.set()
            listening.shutdown(socket.SHUT_RDWR)
            thread.join(10)


def write_publication(settings: Settings, number: int, published_at: datetime, rows: dict[str, int]) -> None:
    """A publication of which only the manifest is there. rows: by mart."""
    folder = settings.published / str(number)
    folder.mkdir(parents=True)
    moment = published_at.isoformat()
    manifest = {
        "number": number,
        "published_at": moment,
        "files": {},
        "tables": {name: {"rows": count} for name, count in rows.items()},
        "history": [],
        "runs": {},
        "gate": {},
        "summary": {},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (settings.published / "current").symlink_to(str(number))
