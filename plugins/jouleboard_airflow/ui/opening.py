"""Which page of the publication the frame opens first, and what to say if a row is not there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from benchmark_tasks.errors import PublicationError
from benchmark_tasks.settings import Settings
from expectations import publications
from expectations.board.addresses import EXPLORER, row_address
from expectations.publications import CURRENT, SITE_FOLDER

PAGE = re.compile(r"([a-z][a-z0-9_-]*|models/[a-z0-9-][a-z0-9.-]*)\.html")
"""A page of the site, relative to its folder; such a name never leads out of it."""

_CONFIGURATIONS = Path(__file__).parent / "configurations.sql"
_CONFIGURATION = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True)
class Opened:
    """A page's address, relative to the site's folder. notice: what a reader must know, if anything."""

    address: str = EXPLORER
    notice: str | None = None


def opened(settings: Settings, *, model: str | None, row: str | None, page: str | None) -> Opened:
    """The page that was asked for: of a row (model and configuration id), by its name, or the explorer."""
    if model and row and _CONFIGURATION.fullmatch(row):
        return _row(settings, model, row)
    if page and PAGE.fullmatch(page):
        return Opened(page)
    return Opened()


def _row(settings: Settings, model_id: str, configuration_id: str) -> Opened:
    """The row's address, or the explorer with a notice."""
    number, rows = _rows(settings)
    if (model_id, configuration_id) not in rows:
        return Opened(
            notice=f"This row of {model_id} is not on the board: publication {number} does not have it. The "
            "DAG refresh_leaderboard publishes what is measured, if the gate accepts it."
        )
    address = row_address(model_id, configuration_id, {model for model, _ in rows})
    page = settings.published / CURRENT / SITE_FOLDER / address.partition("#")[0]
    if page.is_file():
        return Opened(address)
    return Opened(f"{EXPLORER}#{configuration_id}")


def _rows(settings: Settings) -> tuple[int | None, set[tuple[str, str]]]:
    """Number of the current publication, and the model and configuration of each of its rows."""
    try:
        current = publications.require_current(settings)
        with publications.open_publication(current) as connection:
            rows = connection.execute(_CONFIGURATIONS.read_text()).fetchall()
    except PublicationError:
        return publications.current_number(settings.published), set()
    return current.number, {(model_id, configuration_id) for model_id, configuration_id in rows}
