"""SQL of the living reading: one file per figure and sentence, and the choices that several of them make."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from expectations.publications.database import literal
from expectations.sql import load_sql

ROOM = Path(__file__).parent
CHOICES = ROOM / "choices"
"""Queries that others name by their file's name, for example which GPU model to show."""


def reading_query(path: Path, source: str) -> str:
    """The SQL of a file for one data source, as a reader can run it."""
    return load_sql(path, data_source=literal(source), **_choices(source))


@cache
def _choices(source: str) -> Mapping[str, str]:
    """The SQL of each choice for one data source. One may use those before it in the alphabet."""
    choices: dict[str, str] = {}
    for choice in sorted(CHOICES.glob("*.sql")):
        choices[choice.stem] = load_sql(choice, data_source=literal(source), **choices)
    return choices


def query_files() -> Iterator[Path]:
    """Every SQL file of the reading."""
    return ROOM.glob("*/*.sql")
