"""Writes `about.html`, the documentation, `feed.xml` and `llms.txt` of a publication."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from expectations.board.about.documents import DOCS, write_documents
from expectations.board.reading import SOURCES
from expectations.board.reading import page_name as reading_page_name
from expectations.board.releases import Release
from expectations.pages import render_page

FEED_ENTRIES = 50
_NOT_XML = re.compile(r"[\x00-\x1f\ufffe\uffff\ud800-\udfff]")
"""Characters that no XML document may hold, and ends of lines."""
_NAMESPACE = uuid.UUID("6f1f4c9e-0d0b-5f7e-9a53-6c6f7a0e4a10")
"""For ids of feeds: an installation's feed is named after its first publication."""


def write_about(
    folder: Path,
    manifest: Mapping[str, Any],
    links: Sequence[tuple[str, str]],
    models: Mapping[str, str],
    readings: Sequence[str],
    releases: Sequence[Release] = (),
) -> None:
    """Write the pages into the site's folder.

    models: address of each model's page, by its id. readings: sources with a living reading. releases: those
    that were measured.
    """
    shared = {
        "summary": manifest["summary"],
        "marts": manifest["tables"],
        "models": models,
        "has_documents": write_documents(folder, manifest, links),
        "readings": [(reading_page_name(source), SOURCES[source]) for source in readings],
    }
    pages = {
        "about.html": {"links": links, "glossary": glossary()},
        "feed.xml": feed(manifest, releases),
        "llms.txt": {},
    }
    for name, values in pages.items():
        (folder / name).write_text(render_page(f"board/about/{name}", **shared, **values))


def glossary(path: Path = DOCS / "glossary.md") -> str:
    """The glossary of the documentation as HTML; empty where the documentation is not installed."""
    import markdown

    if not path.is_file():
        return ""
    _, _, text = path.read_text().partition("\n")  # its title is the page's heading
    return markdown.markdown(text.replace("\n## ", "\n### "), extensions=["def_list"])


def feed(manifest: Mapping[str, Any], releases: Sequence[Release] = ()) -> dict[str, Any]:
    """What the Atom feed says: one entry per publication and per release, the newest first."""
    history = [*manifest["history"], manifest["summary"]]
    named = uuid.uuid5(_NAMESPACE, f"{history[0]['published_at']} {history[0]['git_commit']}")
    published = [_publication(entry, named) for entry in history[-FEED_ENTRIES:]]
    measured = sorted((_release(release, named) for release in releases), key=_moment)[-FEED_ENTRIES:]
    return {"feed_id": str(named), "entries": sorted([*published, *measured], key=_moment)[::-1]}


def _publication(entry: Mapping[str, Any], feed_id: uuid.UUID) -> dict[str, Any]:
    note = _NOT_XML.sub(" ", entry["note"] or "")
    return {
        "id": uuid.uuid5(feed_id, str(entry["publication_number"])),
        "title": f"Publication {entry['publication_number']}: {entry['row_count']} rows",
        "updated": str(entry["published_at"]).replace(" ", "T"),
        "page": "publications.html",
        "summary": f"{entry['row_count']} rows of the leaderboard from {entry['run_count']} accepted runs;"
        f" gate {entry['gate_verdict']}." + (f" Note: {note}" if note else ""),
    }


def _release(release: Release, feed_id: uuid.UUID) -> dict[str, Any]:
    name = f"{release.summary['runtime']} {release.summary['runtime_version']}"
    title, *changes = (_NOT_XML.sub(" ", line) for line in release.news.text.splitlines())
    return {
        "id": uuid.uuid5(feed_id, f"release {name}"),
        "title": title,
        "updated": release.updated_at.astimezone(UTC).isoformat(timespec="seconds"),
        "page": release.page,
        "summary": " | ".join(changes) or title,
    }


def _moment(entry: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(entry["updated"])
