"""Files of a web address, fetched so that a connection that breaks costs only what had not arrived.

A file is kept aside while it arrives, with the server's ETag. After a break the rest is asked for (`Range`
with `If-Range`), so bytes of two versions are never joined; without a strong ETag the file is fetched again
from its beginning. What has arrived is kept for the next import, which asks whether it changed
(`If-None-Match`), unless this one refused it. A digest that the server states (`Repr-Digest`, RFC 9530) is
checked.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from benchmark_tasks.deadlines import within
from benchmark_tasks.errors import ImportRefused, SourceUnreachable

WAITS_SECONDS = (0.5, 1.0, 2.0, 4.0)
"""Between tries that brought nothing new; after the last one the import gives up."""
MAX_FILE_BYTES = 1 << 30
BEGIN_SECONDS = 60.0
PACE_SECONDS, LEAST_BYTES_PER_SECOND = 60.0, 1000.0
"""After so long, less than this per second on average is no download any more."""

_PASSES = (408, 425, 429, 500, 502, 503, 504)
"""Answers of a server that may be gone a little later."""


@dataclass
class Downloads:
    """Fetches files into a folder. folder: for this address only; the caller removes it after success."""

    client: httpx.Client
    folder: Path
    _has_answered: bool = field(default=False, init=False)

    def fetch(self, url: str, shown: str) -> bytes:
        """The content of a file. shown: its address in messages, without what must not be shown.

        Raises:
            SourceUnreachable: no answer, or the connection broke again and again. ImportRefused: the server
                has no such file, it is too large, or not what its digest says.
        """
        part = _Part(self.folder / hashlib.sha256(shown.encode()).hexdigest())
        waits = iter(WAITS_SECONDS)
        while True:
            before = part.bytes
            try:
                return self._try(url, shown, part)
            except (httpx.TransportError, _Again) as error:
                if part.bytes > before:
                    waits = iter(WAITS_SECONDS)
                wait = next(waits, None) if self._has_answered else None
                if wait is None:
                    raise self._unreachable(shown, error, part.bytes) from error
                time.sleep(wait)

    def forget(self) -> None:
        """Remove what was fetched, so that it is fetched again from its beginning."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _try(self, url: str, shown: str, part: _Part) -> bytes:
        headers = {"Accept-Encoding": "identity", **part.question}
        request = self.client.build_request("GET", url, headers=headers)
        with closing(self._begin(request)) as response:
            self._has_answered = True
            match response.status_code:
                case 304 if part.is_whole:
                    return part.path.read_bytes()
                case 206 if _begins_at(response, part.bytes):
                    pass
                case 200:
                    part.begin(response.headers)
                case 206 | 304 | 416:
                    part.forget()
                    raise _Again("the server answered for another part of the file")
                case status if status in _PASSES:
                    raise _Again(f"the server answered {status}")
                case status:
                    raise ImportRefused(f"{shown}: the server answered {status}; check the address")
            part.receive(response, shown)
            expected = _stated_digest(response.headers)
        content = part.path.read_bytes()
        if expected is not None and hashlib.sha256(content).digest() != expected:
            part.forget()
            raise ImportRefused(f"{shown}: its SHA-256 is not what the server states; try again")
        part.finish()
        return content

    def _begin(self, request: httpx.Request) -> httpx.Response:
        try:
            return within(
                BEGIN_SECONDS, lambda: self.client.send(request, stream=True), str(request.url.host)
            )
        except TimeoutError as error:
            raise _Again(f"the server did not begin to answer within {BEGIN_SECONDS:g} s") from error

    def _unreachable(self, shown: str, error: Exception, arrived: int) -> SourceUnreachable:
        why = str(error) or type(error).__name__
        if not self._has_answered:
            return SourceUnreachable(
                f"{shown}: not fetched ({why}); check the address and the network, or give a folder"
            )
        return SourceUnreachable(
            f"{shown}: not fetched, the connection broke again and again, last after {arrived:,} bytes"
            f" ({why}); run it again (what has arrived is kept), or give a folder"
        )


class _Again(Exception):
    """An answer after which it is worth asking again."""


@dataclass(frozen=True)
class _Part:
    """What has arrived of a file, and beside it what the server says of its version."""

    path: Path

    @property
    def bytes(self) -> int:
        """How much has arrived."""
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def is_whole(self) -> bool:
        """Whether all of it has arrived."""
        return bool(self._version().get("whole"))

    @property
    def question(self) -> dict[str, str]:
        """Headers that ask for the rest, or whether it changed."""
        if not (etag := self._version().get("etag")):
            return {}
        if self.is_whole:
            return {"If-None-Match": etag}
        return {"Range": f"bytes={self.bytes}-", "If-Range": etag} if self.bytes else {}

    def begin(self, headers: httpx.Headers) -> None:
        """Start anew with the version that is arriving now."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_bytes(b"")
        etag = headers.get("etag", "")
        is_weak = etag.startswith("W/") or "content-encoding" in headers
        self._remember({"etag": "" if is_weak else etag})

    def receive(self, response: httpx.Response, shown: str) -> None:
        """Add what arrives, as it arrives."""
        arrived = self.bytes
        with self.path.open("ab") as file:
            began, before = time.monotonic(), arrived
            for chunk in response.iter_bytes():
                file.write(chunk)
                arrived += len(chunk)
                seconds = time.monotonic() - began
                if seconds > PACE_SECONDS and arrived - before < seconds * LEAST_BYTES_PER_SECOND:
                    raise SourceUnreachable(
                        f"{shown}: {arrived - before:,} bytes came in {seconds:.0f} s, too slowly;"
                        " try again later (what has arrived is kept), or give a folder"
                    )
                if arrived > MAX_FILE_BYTES:
                    self.forget()
                    raise ImportRefused(
                        f"{shown}: more than {MAX_FILE_BYTES >> 20} MiB; not a leaderboard file"
                    )

    def finish(self) -> None:
        """Note that all of it has arrived."""
        self._remember({**self._version(), "whole": "yes"})

    def forget(self) -> None:
        """Remove it."""
        self.path.unlink(missing_ok=True)
        self._notes.unlink(missing_ok=True)

    @property
    def _notes(self) -> Path:
        return self.path.with_suffix(".json")

    def _remember(self, version: Mapping[str, str]) -> None:
        self._notes.write_text(json.dumps(version))

    def _version(self) -> dict[str, str]:
        try:
            notes = json.loads(self._notes.read_text()) if self.path.exists() else {}
        except (OSError, ValueError):
            return {}
        return notes if isinstance(notes, dict) else {}


def _begins_at(response: httpx.Response, offset: int) -> bool:
    return str(response.headers.get("content-range", "")).startswith(f"bytes {offset}-")


def _stated_digest(headers: httpx.Headers) -> bytes | None:
    """The SHA-256 of the whole file that the server states, if it does."""
    if "content-encoding" in headers:
        return None  # then the digest is that of the encoded bytes
    for entry in headers.get("repr-digest", "").split(","):
        name, _, value = entry.strip().partition("=")
        if name.lower() == "sha-256" and value.startswith(":") and value.endswith(":"):
            try:
                return base64.b64decode(value[1:-1], validate=True)
            except ValueError:
                return None
    return None
