"""The file in which bundles travel: a gzipped tar of `<run_id>/<file>`, plain files only.

Whoever made a file may have made it to harm: it is read header by header, and nothing is written but
files with the names that a bundle has, each into the folder of its run, up to a number of bytes. Links,
other paths, extended headers, sparse files and what unpacks to more than that end the reading.
"""

from __future__ import annotations

import gzip
import os
import re
import shutil
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from benchmark_tasks import disk
from benchmark_tasks.errors import ContributionRefused
from benchmark_tasks.results import bundle
from benchmark_tasks.signing import SIGNATURE_FILE

_NAMES = frozenset({*bundle.FILES, *bundle.OPTIONAL_FILES, bundle.CHECKSUMS_FILE, SIGNATURE_FILE})
_MEMBER = re.compile(r"(?P<run_id>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/(?P<name>[A-Za-z0-9_.]+)")
_BLOCK = tarfile.BLOCKSIZE
_PIECE = 1 << 20
_LARGEST = {bundle.RUN_FILE: 4 << 20, bundle.CHECKSUMS_FILE: 1 << 16, SIGNATURE_FILE: 1 << 12}
_LARGEST_OTHER = 512 << 20
"""Bytes of a file. The largest recorded run.json has 12 kB, the largest file of a recorded run 0.2 MB."""


def write(bundles: Iterable[Path], output: Path) -> None:
    """Pack bundles. Equal bundles give equal bytes. `output` appears whole or not at all.

    Raises:
        DiskFull: no space.
    """
    aside = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        with (
            disk.disk_full_is_an_error(output.parent),
            aside.open("wb") as file,
            gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar,
        ):
            for folder in bundles:
                for path in sorted(folder.iterdir()):
                    header = tarfile.TarInfo(f"{folder.name}/{path.name}")
                    header.size = path.stat().st_size
                    with path.open("rb") as content:
                        tar.addfile(header, content)
        disk.sync(aside)
        aside.replace(output)
    finally:
        aside.unlink(missing_ok=True)


def unpack(source: Path, folder: Path, most_bytes: int) -> list[Path]:
    """Unpack bundles into `folder`; returns their folders. Nothing of them is believed yet.

    Raises:
        ContributionRefused: it is not such a file, or holds anything that no bundle has; says what.
        DiskFull: no space.
    """
    folders: dict[str, Path] = {}
    try:
        with (
            disk.disk_full_is_an_error(folder),
            source.open("rb") as file,
            gzip.GzipFile(fileobj=file) as tar,
        ):
            for member in _members(tar, source, most_bytes):
                match = _MEMBER.fullmatch(member.name)
                if not match or match["name"] not in _NAMES:
                    raise ContributionRefused(f"{source}: holds {member.name!r:.200}, which no bundle has")
                own = folders.setdefault(match["run_id"], folder / match["run_id"])
                own.mkdir(exist_ok=True)
                try:
                    target = (own / match["name"]).open("xb")
                except FileExistsError as error:
                    raise ContributionRefused(f"{source}: holds {member.name} twice") from error
                _require_size(member.name, match["name"], member.size)
                with target:
                    _copy(tar, target, member.size)
    except FileNotFoundError as error:
        raise ContributionRefused(f"{source}: no such file") from error
    except (gzip.BadGzipFile, EOFError, zlib.error, tarfile.TarError) as error:
        raise ContributionRefused(
            f"{source}: cut off, damaged, or not what `jouleboard contribute` writes ({error}); get it again"
        ) from error
    if not folders:
        raise ContributionRefused(f"{source}: holds no bundle")
    return list(folders.values())


def _members(tar: BinaryIO | gzip.GzipFile, source: Path, most_bytes: int) -> Iterator[tarfile.TarInfo]:
    """The header of each plain file; the caller reads its content before it asks for the next."""
    left = most_bytes
    while True:
        block = tar.read(_BLOCK)
        if block == bytes(_BLOCK):
            if any(tar.read(_PIECE)) or tar.read(1):  # to its end, where gzip's checksum is
                raise ContributionRefused(f"{source}: something follows the end of the archive")
            return
        member = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
        if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or member.name.endswith("/"):
            raise ContributionRefused(f"{source}: {member.name!r:.200} is not a plain file")
        left -= _BLOCK + max(member.size, 0)
        if member.size < 0 or left < 0:
            raise ContributionRefused(f"{source}: unpacks to more than {most_bytes / 1e9:.3g} GB")
        yield member
        tar.read(-member.size % _BLOCK)


def _require_size(path: str | Path, name: str, size: int) -> None:
    most = _LARGEST.get(name, _LARGEST_OTHER)
    if size > most:
        raise ContributionRefused(f"{path}: has {size:,} bytes; at most {most:,} are taken")


def _copy(tar: gzip.GzipFile, target: BinaryIO, size: int) -> None:
    while size:
        piece = tar.read(min(size, _PIECE))
        if not piece:
            raise EOFError("it ends within a file")
        target.write(piece)
        size -= len(piece)


def copy_folder(bundles: Iterable[Path], folder: Path, most_bytes: int) -> list[Path]:
    """Copy bundles from a folder as `unpack` does from a file: plain files with a bundle's names only.

    Raises:
        ContributionRefused: there is anything else, or too much. DiskFull: no space.
    """
    copies, left = [], most_bytes
    for source in bundles:
        target = folder / source.name
        if not _MEMBER.fullmatch(f"{source.name}/{bundle.RUN_FILE}") or target.exists():
            raise ContributionRefused(f"{source}: the folder of a bundle has the id of its run, once each")
        with disk.disk_full_is_an_error(folder):
            target.mkdir()
            for path in sorted(source.iterdir()):
                if path.name not in _NAMES or path.is_symlink() or not path.is_file():
                    raise ContributionRefused(f"{path}: not a plain file that a bundle has")
                left -= path.stat().st_size
                _require_size(path, path.name, path.stat().st_size)
                if left < 0:
                    raise ContributionRefused(f"{source.parent}: more than {most_bytes / 1e9:.3g} GB")
                shutil.copyfile(path, target / path.name, follow_symlinks=False)
        copies.append(target)
    return copies


def copy_file(source: Path, target: Path, most_bytes: int) -> None:
    """Copy a file of bundles.

    Raises:
        ContributionRefused: it is not a file, or too large.
    """
    try:
        if not source.is_file() or source.stat().st_size > most_bytes:
            raise ContributionRefused(f"{source}: not a file of at most {most_bytes / 1e9:.3g} GB")
        shutil.copyfile(source, target)
    except FileNotFoundError as error:
        raise ContributionRefused(f"{source}: no such file") from error
    except PermissionError as error:
        raise ContributionRefused(f"{source}: cannot be read ({error.strerror})") from error
