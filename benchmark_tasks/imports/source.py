"""Source of published files: a folder or an http(s) address, read file by file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit, urlunsplit

import httpx

from benchmark_tasks.errors import ImportRefused

PUBLIC_ADDRESS = "https://ml.energy/leaderboard/data"
"""Where ML.ENERGY's leaderboard serves its data (`public/data` of github.com/ml-energy/leaderboard)."""

TIMEOUT_SECONDS = 60.0
MAX_FILE_BYTES = 1 << 30


class Source(Protocol):
    """Gives the bytes of a file by its path inside the published folder."""

    name: str

    def read(self, path: str) -> bytes:
        """The file's bytes.

        Raises:
            ImportRefused: the file is missing or cannot be fetched.
        """
        ...


class FolderSource:
    """Published files in a local folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.name = str(root)

    def read(self, path: str) -> bytes:
        """The content of one file; raises ImportRefused if it cannot be read."""
        try:
            return (self.root / path).read_bytes()
        except OSError as error:
            raise ImportRefused(
                f"{self.root / path}: {error.strerror or error}; give the folder that contains index.json,"
                " tasks/ and models/"
            ) from error


class WebSource:
    """Published files under an address, which may be signed (`?token=...`)."""

    def __init__(self, url: str, client: httpx.Client) -> None:
        from benchmark_tasks.releases.index import without_credentials

        self._parts = urlsplit(url)
        self.name = without_credentials(url).rstrip("/")
        self._client = client

    def read(self, path: str) -> bytes:
        """The content of one file; raises ImportRefused if it cannot be fetched."""
        address = f"{self.name}/{path}"
        try:
            with self._client.stream("GET", self._address(path)) as response:
                if response.status_code != httpx.codes.OK:
                    raise ImportRefused(
                        f"{address}: the server answered {response.status_code}; check the address"
                    )
                return _bounded(response, address)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            reason = str(error).replace(self._parts.query or "?", "...") or type(error).__name__
            raise ImportRefused(
                f"{address}: not fetched ({reason}); check the address and the network, or give a folder"
            ) from error

    def _address(self, path: str) -> str:
        """Where a file is. A signed address keeps its signature, which follows the path."""
        folder = self._parts.path.rstrip("/")
        return urlunsplit(self._parts._replace(path=f"{folder}/{path}", fragment=""))


def _bounded(response: httpx.Response, address: str) -> bytes:
    content = bytearray()
    for chunk in response.iter_bytes():
        content += chunk
        if len(content) > MAX_FILE_BYTES:
            raise ImportRefused(f"{address}: more than {MAX_FILE_BYTES >> 20} MiB; not a leaderboard file")
    return bytes(content)


def open_source(path_or_url: str) -> Source:
    """A folder source, or a web source when the text starts with http:// or https://."""
    if path_or_url.lower().startswith(("http://", "https://")):
        client = httpx.Client(timeout=TIMEOUT_SECONDS, follow_redirects=True)
        try:
            return WebSource(path_or_url, client)
        except ValueError as error:
            raise ImportRefused(f"not an http(s) address ({error}); check it, or give a folder") from error
    root = Path(path_or_url).expanduser().absolute()
    if not root.is_dir():
        raise ImportRefused(f"{root}: no such folder; give a folder or an http(s) address")
    return FolderSource(root)


def parse_object(content: bytes, where: str) -> dict[str, Any]:
    """The JSON object in a file.

    Raises:
        ImportRefused: truncated, not JSON, or not an object; says where.
    """
    try:
        value = json.loads(content)
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ImportRefused(f"{where}: truncated or not JSON ({error}); fetch the file again") from error
    if not isinstance(value, dict):
        raise ImportRefused(f"{where}: contains a {type(value).__name__}, not an object")
    return value
