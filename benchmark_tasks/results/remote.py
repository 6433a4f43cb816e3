"""A landing zone in an object store: any URL that fsspec knows, for example `s3://bucket/folder`.

Each object appears whole or not at all, but one after the other, and nothing can be renamed. So a bundle's
`run.json` is sent last, and a folder without it is ignored: it is still being sent, or its sender was killed
and will send it again.

Address and credentials come from the environment as the store's own tools take them (for S3
`AWS_ENDPOINT_URL`, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, or the machine's role).
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from benchmark_tasks.errors import JouleboardError, LandingZoneUnreachable, SettingsError, one_line
from benchmark_tasks.results import address, bundle
from benchmark_tasks.signing import SIGNATURE_FILE

_BUNDLE = re.compile(rf"[a-z][a-z0-9-]*/\d{{4}}-\d{{2}}/[0-9a-f-]{{36}}/{re.escape(bundle.RUN_FILE)}")

_RECORD = {bundle.RUN_FILE, SIGNATURE_FILE}
"""What is fetched of a bundle whose record alone is asked for: what was measured, and by whom."""

_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.]*")

_OF_A_BUNDLE = re.compile(r"[a-z][a-z0-9-]*/\d{4}-\d{2}/[0-9a-f-]{36}/.+")
"""Also of one that was sent in part."""

EMPTY_ENTRIES = frozenset({"lost+found"})
"""What a new file system holds: a folder with nothing else is empty."""


class Remote:
    """Bundles under a URL, each at `<task>/<year-month>/<run_id>/`."""

    def __init__(self, url: str) -> None:
        self.url = address.without_end(url)

    def bundles(self) -> list[str]:
        """Paths of complete bundles, relative to the URL; other objects are ignored."""
        with self._one_line_errors():
            self._files.invalidate_cache()
            paths = [path.removeprefix(f"{self._root}/") for path in self._files.find(self._root)]
        return sorted(path.rpartition("/")[0] for path in paths if _BUNDLE.fullmatch(path))

    def require_ours(self) -> None:
        """Refuse a place that holds something, and nothing of bundles: it belongs to others. Writes nothing.

        Raises:
            SettingsError: it does, or the URL cannot be used. LandingZoneUnreachable: it does not answer.
        """
        with self._one_line_errors():
            if not entries(self._files, self._root):
                return
            paths = [path.removeprefix(f"{self._root}/") for path in self._files.find(self._root)]
        if not any(map(_OF_A_BUNDLE.fullmatch, paths)):
            raise SettingsError(
                f"{self.url} is not empty and holds no bundles: name a new or an empty folder"
            )

    def send(self, folder: Path, where: str, *, again: bool = False) -> None:
        """Send a bundle's files, its record last.

        again: also if the bundle is there already; otherwise that one is not changed.
        """
        target = f"{self._root}/{where}"
        with self._one_line_errors():
            self._files.invalidate_cache()
            if not again and self._files.exists(f"{target}/{bundle.RUN_FILE}"):
                return
            names = sorted(path.name for path in folder.iterdir())
            for name in sorted(names, key=lambda name: name == bundle.RUN_FILE):
                self._files.put_file(str(folder / name), f"{target}/{name}")

    def fetch(self, where: str, folder: Path, *, only_record: bool = False) -> None:
        """Copy a bundle's files into an existing folder; the caller verifies them."""
        source = f"{self._root}/{where}"
        with self._one_line_errors():
            present = [path.removeprefix(f"{source}/") for path in self._files.find(source)]
            for name in _RECORD.intersection(present) if only_record else filter(_FILE.fullmatch, present):
                self._files.get_file(f"{source}/{name}", str(folder / name))

    @cached_property
    def _connection(self) -> tuple[Any, str]:
        return connect(self.url, "JOULEBOARD_RAW")

    @property
    def _files(self) -> Any:
        return self._connection[0]

    @property
    def _root(self) -> str:
        return self._connection[1].rstrip("/")

    def _one_line_errors(self) -> AbstractContextManager[None]:
        return one_line_errors(f"the landing zone {self.url}", LandingZoneUnreachable)


def connect(url: str, setting: str) -> tuple[Any, str]:
    """The file system of a URL or folder, as fsspec has it, and the path in it.

    setting: what named the URL, for messages.

    Raises:
        SettingsError: the URL cannot be used.
    """
    if why := address.problem(url):
        raise SettingsError(f"{setting}={url}: {why}")
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise SettingsError(f"{setting}={url}: {_INSTALL}") from error
    here = {"auto_mkdir": True} if "://" not in url or url.startswith("file:") else {}
    try:
        # Instances are shared otherwise, and those of a parent process do not survive a fork.
        system, path = url_to_fs(url, skip_instance_cache=True, use_listings_cache=False, **here)
    except ImportError as error:
        raise SettingsError(f"{setting}={url}: {_INSTALL}") from error
    except ValueError as error:
        raise SettingsError(f"{setting}={url}: {error}") from error
    return system, str(path)


def entries(files: Any, root: str) -> set[str]:
    """Names of what lies in a folder of a file system of fsspec; nothing if there is no such folder."""
    files.invalidate_cache()
    try:
        paths = files.ls(root, detail=False)
    except FileNotFoundError:
        return set()
    names = {path.rstrip("/").rpartition("/")[2] for path in paths if path.strip("/") != root.strip("/")}
    return names - EMPTY_ENTRIES


@contextmanager
def one_line_errors(what: str, kind: type[JouleboardError]) -> Iterator[None]:
    """Turn the exceptions of any store into one line; that of a full disk here is passed on.

    what: the store, for the message. kind: the error to raise.
    """
    try:
        yield
    except JouleboardError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        message = one_line(error)[:200]
        raise kind(
            f"{what} cannot be used ({type(error).__name__}: {message}): check its address and credentials"
        ) from error


_INSTALL = "this kind of store needs a package: pip install 'jouleboard[s3]', or 'jouleboard-measure[s3]'"
