"""What happened in the last days: releases seen, measured, changed, published, and the cost.

What the watch saw is in its own files. The rest comes from the current publication, one query per part
(`digest_queries/`); a run that landed after it is in the next digest. A template each for text and HTML.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmark_tasks.releases import seen
from benchmark_tasks.settings import Settings
from expectations import publications
from expectations.pages import templates_in
from expectations.sql import load_sql

QUERIES = Path(__file__).parent / "digest_queries"
PARTS = ("first_measured", "measured", "changes", "cost")
DAYS = 7


@dataclass(frozen=True)
class Digest:
    """A digest in words; the title is one line."""

    title: str
    text: str
    html: str


def digest(settings: Settings, days: int = DAYS) -> Digest:
    """The last days in words.

    Raises:
        PublicationError: nothing is published yet.
    """
    current = publications.require_current(settings)
    now = datetime.now(UTC)
    since = now - timedelta(days=days)
    parts = {part: publications.query(settings, query_of(part, since)).records() for part in PARTS}
    published = [item for item in publications.all_publications(settings) if item.published_at >= since]
    values = {
        "since": since,
        "until": now,
        "current": current,
        "seen": seen.since(settings, since),
        "published": published,
        **parts,
        "cost": parts["cost"][0],
    }
    title = f"Jouleboard: {days} days until {now:%Y-%m-%d}"
    return Digest(title, _render("digest.txt", values), _render("digest.html", values | {"title": title}))


def query_of(part: str, since: datetime) -> str:
    """The query of one of `PARTS`, for what happened since a moment (UTC)."""
    literal = f"timestamptz '{since:%Y-%m-%d %H:%M:%S}+00'"
    first_measured = load_sql(QUERIES / "first_measured.sql", since=literal)
    return load_sql(QUERIES / f"{part}.sql", since=literal, first_measured=first_measured)


def _render(name: str, values: dict[str, Any]) -> str:
    environment = templates_in(Path(__file__).parent, escape=name.endswith(".html"))
    return environment.get_template(name).render(values).strip() + "\n"
