"""Bundles and publications in any folder: whether every byte is as it was, and who signed; no network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmark_tasks.errors import BundleError, PublicationError
from benchmark_tasks.results import bundle
from benchmark_tasks.signing import Registry, signed_by
from expectations.publications.store import MANIFEST_FILE, differences, read_folder


@dataclass(frozen=True)
class Verified:
    """One bundle or publication. signed: who signed, in words; problem: what is wrong, `None` if nothing."""

    path: str
    signed: str
    problem: str | None


def verify_folder(folder: Path, registry: Registry, *, require_signed: bool = False) -> Iterator[Verified]:
    """Check each bundle and publication in a folder.

    Raises:
        PublicationError: there is none.
    """
    marked = {file.parent for name in _MARKS for file in folder.rglob(name)}
    found = sorted(path for path in marked if not _is_hidden(path.relative_to(folder)))
    if not found:
        raise PublicationError(f"{folder}: no bundle and no publication here")
    for path in found:
        yield _verified(path, registry, require_signed)


_MARKS = (bundle.RUN_FILE, bundle.CHECKSUMS_FILE, MANIFEST_FILE)


def _is_hidden(path: Path) -> bool:
    """Whether it is being written, or is the rest of a bundle in cold storage."""
    return any(part.startswith(".") for part in path.parts)


def _verified(path: Path, registry: Registry, require_signed: bool) -> Verified:
    try:
        if (path / MANIFEST_FILE).exists():
            publication = read_folder(path)
            started_at, damage = publication.published_at, differences(publication)
        else:
            started_at, damage = bundle.verify(path).started_at, []
    except (BundleError, PublicationError) as error:
        return Verified(str(path), "not verified", str(error))
    if damage:
        return Verified(str(path), "not verified", "; ".join(damage))
    key = signed_by(path)
    objection = registry.objection(key, started_at)
    if require_signed and key is None:
        objection = "unsigned"
    return Verified(str(path), f"unchanged, {registry.describe(key)}", objection)
