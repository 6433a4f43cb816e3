"""The pages of a publication: self-contained files that load nothing from the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmark_tasks.catalog import Catalog
from expectations.board import about, models, operations, reading, releases
from expectations.board.addresses import EXPLORER, navigation
from expectations.board.dbt_docs import DBT_DOCS
from expectations.board.explorer import render_explorer
from expectations.board.libraries import write_libraries
from expectations.board.reading import SOURCES, page_name
from expectations.board.rows import needed_marts
from expectations.publications import SITE_FOLDER, Marts
from expectations.sql import load_sql

Links = Sequence[tuple[str, str]]
"""Address and title of each entry of a navigation."""

ROOM = Path(__file__).parent
LEADERBOARD = "leaderboard"
QUARANTINE_SHOWN = 200
QUARANTINE_COLUMNS = ("run_id", "model_id", "task", "batch_size", "started_at", "reasons")


def write_site(folder: Path, marts: Marts, manifest: Mapping[str, Any], catalog: Catalog) -> Links:
    """Write the pages of a publication from the marts that are copied into `folder`.

    Before a page is drawn, the marts that it reads are waited for; those that read large ones come last.

    Returns the navigation that every page of the site carries.
    """
    site, connection = folder / SITE_FOLDER, marts.connection
    model_pages: Mapping[str, str] = {}
    write_libraries(site)
    needs = {room: needed_marts(room.QUERIES) for room in (reading, releases, operations, models)}
    is_whole = marts.names >= needs[models] | needs[operations] | needs[releases]
    marts.wait({LEADERBOARD} | needs[reading])
    links = navigation(reading.sources_with_reading(connection), is_whole=is_whole)
    readings = reading.write_reading(site, connection, manifest, catalog, links)
    if is_whole:
        model_pages = models.addresses(connection)
        marts.wait(needs[releases])
        measured = releases.write_releases(site, connection, manifest, catalog, links, model_pages)
        marts.wait(needs[operations])
        operations.write_operations(site, connection, manifest, catalog, links, model_pages)
        with marts.unsorted() as candidate:  # millions of rows, whose copies are not waited for
            power = models.power_behind_rows(candidate)
        marts.wait(needs[models] - {models.POWER})
        models.write_models(site, connection, manifest, catalog, links, power)
    marts.wait()  # the other pages list them all
    if is_whole:
        about.write_about(site, manifest, links, model_pages, readings, measured)
    rest = _publication(site, manifest, readings)
    if not is_whole:  # other pages show both
        rest |= {"quarantine": _quarantine(connection), "history": _history(manifest["history"])}
    text = render_explorer(connection, manifest, catalog, model_pages, links=links, is_whole=is_whole, **rest)
    (site / EXPLORER).write_text(text)
    return links


def _publication(site: Path, manifest: Mapping[str, Any], readings: Sequence[str]) -> dict[str, Any]:
    """What the page says of the publication itself. readings: sources with a living reading."""
    return {
        "warned": manifest.get("gate", {}).get("warned", []),
        "runs": manifest["runs"],
        "marts": manifest["tables"],
        "has_docs": (site / DBT_DOCS).exists(),
        "readings": [(page_name(source), SOURCES[source]) for source in readings],
    }


def _columns(connection: Any, table: str) -> set[str]:
    """Columns of a mart; none if there is no such mart."""
    rows = connection.execute(load_sql(ROOM / "columns.sql", table=table)).fetchall()
    return {name for (name,) in rows}


def _quarantine(connection: Any) -> dict[str, Any]:
    """Header and rows; no header when the publication has no such table."""
    present = _columns(connection, "quarantine")
    shown = [name for name in QUARANTINE_COLUMNS if name in present]
    if not shown:
        return {"header": [], "rows": []}
    sql = load_sql(ROOM / "quarantine.sql", columns=shown, limit=QUARANTINE_SHOWN)
    rows = connection.execute(sql).fetchall()
    return {"header": [name.replace("_", " ") for name in shown], "rows": rows}


def _history(history: Sequence[Mapping[str, Any]]) -> list[tuple[Any, ...]]:
    """One row per publication, newest first."""
    return [
        (
            entry["publication_number"],
            str(entry["published_at"])[:16].replace("T", " "),
            entry["row_count"],
            entry["run_count"],
            entry["gate_verdict"],
            entry["note"],
        )
        for entry in reversed(history)
    ]
