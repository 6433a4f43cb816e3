"""The pages of a publication: self-contained files that load nothing from the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmark_tasks.catalog import Catalog
from benchmark_tasks.results.identity import CONFIGURATION_KEYS, IDENTITY_KEYS
from benchmark_tasks.vocabulary import Task
from expectations.board import about, models, operations
from expectations.board.addresses import EXPLORER, navigation
from expectations.board.reading import SOURCES, page_name, sources_with_reading, write_reading
from expectations.board.rows import has_marts
from expectations.pages import render_page
from expectations.publications import DATABASE_FILE, SITE_FOLDER
from expectations.sql import load_sql

Links = Sequence[tuple[str, str]]
"""Address and title of each entry of a navigation."""

ROOM = Path(__file__).parent
SIGNIFICANT_DIGITS = 6
QUARANTINE_SHOWN = 200
QUARANTINE_COLUMNS = ("run_id", "model_id", "task", "batch_size", "started_at", "reasons")

_SHOWN = (
    "task",
    "data_source",
    "nickname",
    "organisation",
    "model_id",
    "model_revision",
    "weight_precision",
    "gpu_model",
    "num_gpus",
    "batch_size",
    "runtime",
    "runtime_version",
    "length_control",
    "request_set_id",
    "power_limit_watts",
    "weights",
    "weights_reference",
    "weights_energy_difference",
    "weights_energy_difference_half_width",
    "weights_median_itl_difference",
    "energy_source",
    "output_unit",
    "repeats",
    "energy_gpus",
    "energy_servers",
    "energy_rank",
    "energy_per_output_joules",
    "energy_per_output_low_joules",
    "energy_per_output_high_joules",
    "energy_within_run_interval",
    "energy_per_response_joules",
    "throughput_per_second",
    "throughput_per_watt",
    "mean_power_watts",
    "median_itl_ms",
    "p99_itl_ms",
    "median_ttft_ms",
    "batch_latency_seconds",
)

COLUMNS = tuple(dict.fromkeys((*_SHOWN, *IDENTITY_KEYS)))
"""What the page reads from `leaderboard`, all keys of a row's identity included; a column that an older mart
lacks is NULL."""


def write_site(folder: Path, manifest: Mapping[str, Any], catalog: Catalog) -> Links:
    """Write the pages of a publication from the marts that were copied into `folder`.

    Returns the navigation that every page of the site carries.
    """
    import duckdb

    connection = duckdb.connect(str(folder / DATABASE_FILE), read_only=True)
    try:
        has_docs = (folder / SITE_FOLDER / "dbt_docs.html").exists()
        is_whole = has_marts(connection, (*models.QUERIES, *operations.QUERIES))
        links = navigation(sources_with_reading(connection), is_whole=is_whole)
        readings = write_reading(folder / SITE_FOLDER, connection, manifest, catalog, links)
        if is_whole:
            site = folder / SITE_FOLDER
            addresses = models.write_models(site, connection, manifest, catalog, links)
            operations.write_operations(site, connection, manifest, catalog, links, addresses)
            about.write_about(site, manifest, links, addresses, readings)
        text = render(connection, manifest, catalog, has_docs=has_docs, readings=readings, links=links)
    finally:
        connection.close()
    (folder / SITE_FOLDER / EXPLORER).write_text(text)
    return links


def render(
    connection: Any,
    manifest: Mapping[str, Any],
    catalog: Catalog,
    *,
    has_docs: bool,
    readings: Sequence[str] = (),
    links: Links = (),
) -> str:
    """The page as text. All text from data is escaped.

    readings: sources with a living reading. links: the site's navigation.
    """
    return render_page(
        "board/page.html",
        summary=manifest["summary"],
        warned=manifest.get("gate", {}).get("warned", []),
        links=links,
        runs=manifest["runs"],
        marts=manifest["tables"],
        history=_history(manifest["history"]),
        quarantine=_quarantine(connection),
        has_docs=has_docs,
        readings=[(page_name(source), SOURCES[source]) for source in readings],
        meta={"tasks": _task_names(catalog), "configuration_keys": CONFIGURATION_KEYS},
        leaderboard={"columns": [*COLUMNS, "is_minimum"], "rows": _leaderboard(connection)},
    )


def _leaderboard(connection: Any) -> list[list[Any]]:
    """Rows of the page, each model at its current revision; numbers have six significant digits."""
    present = _columns(connection, "leaderboard")
    sql = load_sql(
        ROOM / "leaderboard.sql",
        columns=[name if name in present else f"null as {name}" for name in COLUMNS],
        has_minima={"leaderboard_id", "scope"} <= _columns(connection, "min_energy_configurations"),
        has_revisions="is_current_revision" in present,
    )
    return [[_cut(value) for value in row] for row in connection.execute(sql).fetchall()]


def _columns(connection: Any, table: str) -> set[str]:
    """Columns of a mart; none if there is no such mart."""
    rows = connection.execute(load_sql(ROOM / "columns.sql", table=table)).fetchall()
    return {name for (name,) in rows}


def _cut(value: Any) -> Any:
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}") if isinstance(value, float) else value


def _task_names(catalog: Catalog) -> list[tuple[str, str]]:
    return [(task.value, catalog.tasks[task].display_name) for task in Task if task in catalog.tasks]


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
