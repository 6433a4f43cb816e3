"""Files that take long to make, kept for the next process. Whoever finds none, or a damaged one, makes it."""

from __future__ import annotations

import hashlib
import io
from contextlib import suppress
from pathlib import Path

from benchmark_tasks import disk
from benchmark_tasks.errors import DiskFull

_DIGEST_BYTES = hashlib.sha256().digest_size


def read(path: Path) -> bytes | None:
    """The content that was kept; `None` if there is none, or it is damaged."""
    with suppress(OSError):
        kept = path.read_bytes()
        digest, content = kept[:_DIGEST_BYTES], kept[_DIGEST_BYTES:]
        if hashlib.sha256(content).digest() == digest:
            return content
    return None


def keep(content: bytes, path: Path, *, instead_of: str) -> None:
    """Keep content for `read`, unless nothing can be written there.

    instead_of: pattern of the files in its folder that it replaces; they are removed.
    """
    with suppress(OSError, DiskFull):
        path.parent.mkdir(exist_ok=True)
        kept = io.BytesIO(hashlib.sha256(content).digest() + content)
        disk.replace_content(path, kept, durable=False)
        for other in path.parent.glob(instead_of):
            if other != path:
                other.unlink(missing_ok=True)
