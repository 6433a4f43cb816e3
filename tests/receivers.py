"""Real receivers of notifications on loopback: a web hook and a mail server."""

from __future__ import annotations

import email
import email.policy
import json
import threading
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from benchmark_tasks.settings import Settings

CANARY = "canary-7d1f04"


@dataclass
class Mail:
    """What a mail server received: (subject, text, HTML)."""

    port: int
    received: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"mailto://127.0.0.1:{self.port}?from=jb@example.org&to=op@example.org&mode=insecure"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        bodies = (message.get_body((kind,)) for kind in ("plain", "html"))
        text, html = (body.get_content() if body else "" for body in bodies)
        self.received.append((message["subject"], text, html))
        return "250 OK"


class Hook(ThreadingHTTPServer):
    """A web hook. received: every JSON that came; answers: the status of the next answers."""

    def __init__(self, port: int = 0) -> None:
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
        self.server.received.append(json.loads(body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *arguments: Any) -> None:
        pass


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
