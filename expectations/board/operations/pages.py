"""Writes the pages on load, images, prices, cost, quarantine, publications: a query and a template each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark_tasks.catalog import Catalog
from benchmark_tasks.results.summary import SLEEP_LEVELS
from expectations.board.operations import load_curves
from expectations.board.operations.price_pages import prices
from expectations.board.operations.surface_pages import images
from expectations.board.reading import source_title
from expectations.board.reading.figures.figure import standalone
from expectations.board.reading.page import PIXELS
from expectations.candidate.inputs import COMPARED
from expectations.laws.answer import BEST, NEAREST
from expectations.pages import render_page
from expectations.pages.names import runtime_title
from expectations.pages.png import write_png
from expectations.sql import Row, load_sql, rows_of

if TYPE_CHECKING:
    import duckdb

ROOM = Path(__file__).parent
QUERIES = (*ROOM.glob("*.sql"), BEST, NEAREST)
SAVINGS = ROOM / "savings.sql"
"""What the canaries of each release cost and saved, per GPU model."""
FIGURES = "figures"
LOADS_CSV = f"{FIGURES}/jouleboard-{load_curves.NAME}.csv"
SHOWN = 50
"""Rows of one kind of change that the page lists; the mart has all."""
_CHANGES = {
    "came": "Rows that came",
    "went": "Rows that went",
    "moved": "Rows that moved",
}


def write_operations(
    folder: Path,
    connection: duckdb.DuckDBPyConnection,
    manifest: Mapping[str, Any],
    catalog: Catalog,
    links: Sequence[tuple[str, str]],
    models: Mapping[str, str],
) -> None:
    """Write the pages into the site's folder.

    connection: the publication's marts, in schema `marts`. models: address of each model's page, by its id.
    """
    shared: dict[str, Any] = {
        "summary": manifest["summary"],
        "links": links,
        "models": models,
        "tasks": {task.value: entry.display_name for task, entry in catalog.tasks.items()},
    }
    pages = {
        "load.html": load(folder, connection),
        "images.html": images(folder, connection),
        "prices.html": prices(folder, connection),
        "ledger.html": ledger(connection, shared["tasks"]),
        "quarantine.html": quarantine(connection),
        "publications.html": publications(connection, manifest),
    }
    for name, values in pages.items():
        (folder / name).write_text(render_page(f"board/operations/{name}", **shared, **values))
    for number in pages["publications.html"]["compared"]:
        text = render_page(
            "board/operations/changes.html", number=number, **shared, **pages["publications.html"]
        )
        (folder / changes_page(number)).write_text(text)


def changes_page(number: int) -> str:
    """File name of the page with what changed since an earlier publication."""
    return f"changes-since-{number}.html"


def load(folder: Path, connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """Curves over the offered load and their capacities; their figures and rows are written as files, too."""
    rows = rows_of(connection, ROOM / "loads.sql")
    known = load_curves.curves(rows, rows_of(connection, ROOM / "capacities.sql"))
    drawn = known[: load_curves.SHOWN]
    pictures = [
        {"wide": load_curves.svg(curve), "narrow": load_curves.svg(curve, narrow=True)} for curve in drawn
    ]
    if drawn:
        (folder / FIGURES).mkdir(parents=True, exist_ok=True)
        connection.sql(load_sql(ROOM / "loads.sql")).write_csv(str(folder / LOADS_CSV))
    for curve, picture in zip(drawn, pictures, strict=True):
        svg = standalone(picture["wide"])
        (folder / FIGURES / f"{curve.stem}.svg").write_text(svg)
        write_png(svg, folder / FIGURES / f"{curve.stem}.png", PIXELS)
    waiting = rows_of(connection, ROOM / "waiting.sql")
    return {
        "drawn": drawn,
        "pictures": pictures,
        "said": [load_curves.in_words(curve) for curve in drawn],
        "more": len(known) - len(drawn),
        "csv": LOADS_CSV,
        "capacities": [(curve, curve.capacities) for curve in known],
        "waiting": waiting,
        "asleep": [
            (row, level)
            for row in waiting
            for level in SLEEP_LEVELS
            if row[f"asleep_watts_level_{level}"] is not None
        ],
        "rows": rows_of(connection, ROOM / "load.sql"),
    }


def ledger(connection: duckdb.DuckDBPyConnection, tasks: Mapping[str, str]) -> dict[str, Any]:
    """Cost per campaign and per published row, what canaries saved, and sums of what is known or None.

    tasks: name by task.
    """
    campaigns = rows_of(connection, ROOM / "campaigns.sql")
    for row in campaigns:
        row["runtime_titles"] = [_runtime(runtime) for runtime in row["measured_runtimes"] or []]
        row["task_names"] = [tasks.get(task, task) for task in row["measured_tasks"] or []]
    rows, savings = rows_of(connection, ROOM / "row_costs.sql"), rows_of(connection, SAVINGS)
    return {
        "campaigns": campaigns,
        "rows": rows,
        "savings": savings,
        "saved_gpu_hours": _known_sum(savings, "saved_gpu_hours"),
        "gpu_hours": _known_sum(campaigns, "gpu_hours"),
        "all_hours_known": all(row["gpu_hours"] is not None for row in campaigns),
        "energy_kwh": _known_sum(campaigns, "known_energy_kwh"),
        "unknown": sum(row["runs_without_energy"] for row in campaigns),
        "runs": sum(row["runs"] for row in campaigns),
    }


def _known_sum(rows: Sequence[Row], column: str) -> float | None:
    known = [row[column] for row in rows if row[column] is not None]
    return sum(known) if known else None


def _runtime(runtime: Mapping[str, str]) -> str:
    return f"{runtime_title(runtime['title'])} {runtime['version']}"


def quarantine(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """Runs that were set aside, by the checks that they failed."""
    rows = rows_of(connection, ROOM / "quarantined.sql")
    groups = [(checks or "unknown", list(group)) for checks, group in _grouped(rows, "failed_checks")]
    return {"groups": sorted(groups, key=lambda group: -len(group[1])), "count": len(rows)}


def publications(connection: duckdb.DuckDBPyConnection, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """All publications, and what changed since each of them: the newest first."""
    rows = rows_of(connection, ROOM / "changes.sql")
    by_number = {number: list(group) for number, group in _grouped(rows, "previous_publication_number")}
    earlier = [entry["publication_number"] for entry in reversed(manifest["history"])]
    return {
        "history": [manifest["summary"], *reversed(manifest["history"])],
        "compared": {number: changes(by_number.get(number, [])) for number in earlier[:COMPARED]},
        "shown": SHOWN,
    }


def changes(rows: Sequence[Row]) -> list[tuple[str, str, int, list[tuple[str, str, list[Row]]]]]:
    """Kind, title, number of rows, and the rows by source and task."""
    kinds = []
    for change, title in _CHANGES.items():
        here = [row for row in rows if row["change"] == change]
        groups = [
            (source_title(source), task, list(group))
            for (source, task), group in groupby(here, key=lambda row: (row["data_source"], row["task"]))
        ]
        kinds.append((change, title, len(here), groups))
    return kinds


def _grouped(rows: Iterable[Row], key: str) -> Iterable[tuple[Any, Iterable[Row]]]:
    return groupby(rows, key=lambda row: row[key])
