"""Source of published files: a folder or an http(s) address, read file by file.

If the source has a file SHA256SUMS, as `sha256sum` writes it, every file that is read must be as it says.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, Self
from urllib.parse import urlsplit, urlunsplit

import httpx

from benchmark_tasks.addresses import require_address, without_credentials
from benchmark_tasks.errors import ImportRefused, SettingsError, SourceUnreachable
from benchmark_tasks.imports.download import Downloads

PUBLIC_ADDRESS = "https://ml.energy/leaderboard/data"
"""Where ML.ENERGY's leaderboard serves its data (`public/data` of github.com/ml-energy/leaderboard)."""

WEB_APP_FOLDER = Path("public") / "data"
"""Where a checkout of the leaderboard's web app has them."""

TIMEOUT_SECONDS = 60.0
SUMS_FILE = "SHA256SUMS"

_ODD = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""Control characters, line breaks, and halves of surrogate pairs, which no file can hold."""

_SUM = re.compile(r"(?P<digest>[0-9a-f]{64}) [ *](?P<path>.+)")


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

    def __init__(self, url: str, downloads: Downloads) -> None:
        try:
            self._parts = urlsplit(require_address(url, "the address to import from"))
        except SettingsError as error:
            raise ImportRefused(str(error)) from error
        self.name = without_credentials(url).rstrip("/")
        self._downloads = downloads

    @classmethod
    def of_file(cls, url: str, downloads: Path) -> Self:
        """An address that is itself a file: `read("")` gives it. downloads: folder for what arrives."""
        try:
            client = httpx.Client(timeout=TIMEOUT_SECONDS, follow_redirects=True)
            return cls(url, Downloads(client, downloads))
        except ValueError as error:
            raise ImportRefused(f"not an http(s) address ({error}); check it") from error

    def read(self, path: str) -> bytes:
        """The content of one file; raises ImportRefused if it cannot be fetched."""
        address = f"{self.name}/{path}".rstrip("/")
        try:
            return self._downloads.fetch(self._address(path), address)
        except ImportRefused as error:
            raise type(error)(self._hidden(error)) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ImportRefused(
                f"{address}: not fetched ({self._hidden(error)}); check the address, or give a folder"
            ) from None

    def forget(self) -> None:
        """Remove what was fetched."""
        self._downloads.forget()

    def _hidden(self, error: Exception) -> str:
        """An error's message without the signature of a signed address."""
        return str(error).replace(self._parts.query or "?", "...") or type(error).__name__

    def _address(self, path: str) -> str:
        """Where a file is. A signed address keeps its signature, which follows the path."""
        folder = self._parts.path.rstrip("/")
        return urlunsplit(
            self._parts._replace(path=f"{folder}/{path}" if path else self._parts.path, fragment="")
        )


class CheckedSource:
    """A source whose files are compared with its SHA256SUMS, if it has one."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.name = source.name

    def read(self, path: str) -> bytes:
        """The content of one file; raises ImportRefused if it is not in the list, or another one."""
        content, where = self._source.read(path), f"{self.name}/{path}"
        if self._sums is None:
            return content
        if path not in self._sums:
            raise ImportRefused(f"{where}: not in {self.name}/{SUMS_FILE}")
        if hashlib.sha256(content).hexdigest() != self._sums[path]:
            raise ImportRefused(
                f"{where}: its SHA-256 is not that of {SUMS_FILE}; fetch it again, or ask its owner"
            )
        return content

    @cached_property
    def _sums(self) -> dict[str, str] | None:
        """SHA-256 by path; `None` without a list. A page for whatever is not there is no list."""
        try:
            lines = self._source.read(SUMS_FILE).decode().splitlines()
        except SourceUnreachable:
            raise
        except (ImportRefused, UnicodeDecodeError):
            return None
        if not lines or not _SUM.fullmatch(lines[0]):
            return None
        sums = {}
        for number, line in enumerate(lines, 1):
            if not (match := _SUM.fullmatch(line)):
                raise ImportRefused(f"{self.name}/{SUMS_FILE}: line {number} is not what sha256sum writes")
            sums[match["path"].removeprefix("./")] = match["digest"]
        return sums


def open_source(path_or_url: str, downloads: Path) -> Source:
    """A folder source, or a web source when the text starts with http:// or https://.

    downloads: folder for what is being fetched; each address has a folder of its own in it.
    """
    if path_or_url.lower().startswith(("http://", "https://")):
        client = httpx.Client(timeout=TIMEOUT_SECONDS, follow_redirects=True)
        try:
            own = downloads / hashlib.sha256(path_or_url.encode()).hexdigest()[:16]
            return WebSource(path_or_url, Downloads(client, own))
        except ValueError as error:
            raise ImportRefused(f"not an http(s) address ({error}); check it, or give a folder") from error
    root = Path(path_or_url).expanduser().absolute()
    if not root.is_dir():
        before, at, _ = path_or_url.partition("@")
        shown = root if not at or ":" not in before else "the address (not shown, as it may hold a password)"
        raise ImportRefused(f"{shown}: no such folder; give a folder or an http(s) address")
    inside = root / WEB_APP_FOLDER
    is_web_app = not (root / "index.json").exists() and (inside / "index.json").is_file()
    return FolderSource(inside if is_web_app else root)


def parse_object(content: bytes, where: str) -> dict[str, Any]:
    """The JSON object in a file.

    Raises:
        ImportRefused: truncated, not JSON, not an object, or a text in it has control characters; says where.
    """
    try:
        value = json.loads(content)
        odd = next((found for found in _texts(value) if _ODD.search(found[1])), None)
    except (ValueError, RecursionError) as error:
        raise ImportRefused(f"{where}: truncated or not JSON ({error}); fetch the file again") from error
    if odd is not None:
        name, text = odd
        raise ImportRefused(
            f"{where}: {name or 'fields'}: control characters or half of a surrogate pair in {text[:60]!r};"
            " ask its owner"
        )
    if not isinstance(value, dict):
        raise ImportRefused(f"{where}: contains a {type(value).__name__}, not an object")
    return value


def _texts(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Every text in a JSON value with the name of its field; names of fields count, too, and come first."""
    match value:
        case str():
            yield name, value
        case dict() | list():
            named = value.items() if isinstance(value, dict) else enumerate(value)
            for key, each in named:
                if isinstance(key, str):
                    yield name, key
                yield from _texts(each, f"{name}.{key}" if name else str(key))
