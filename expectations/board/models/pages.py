"""Writes the pages of the models and their index: complete without a script or a network."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark_tasks.catalog import Catalog
from expectations.board.addresses import MODELS, MODELS_FOLDER, model_page_name
from expectations.board.models import frontier, pictures
from expectations.board.models.sections import Model, Section, groups, sections
from expectations.board.reading.figures.figure import standalone
from expectations.pages import render_page
from expectations.sql import Row, rows_of

if TYPE_CHECKING:
    import duckdb

ROOM = Path(__file__).parent
QUERIES = tuple(ROOM.glob("*.sql"))
POWER = "power_over_time"
"""Only `power_behind_rows` reads this mart."""
FIGURES_FOLDER = "figures/models"
RUNS_SHOWN = 12
"""Runs of each row that its page lists, the newest; the mart has all."""
VERSIONS_SHOWN = 100
"""Comparisons of runtime versions that the page of a model lists, those of the newest versions."""


def write_models(
    folder: Path,
    connection: duckdb.DuckDBPyConnection,
    manifest: Mapping[str, Any],
    catalog: Catalog,
    links: Sequence[tuple[str, str]] = (),
    power: Mapping[str, pictures.Power] | None = None,
) -> dict[str, str]:
    """Write `models.html` and `models/<name>.html` for each model of the leaderboard.

    folder: the site. connection: the publication's marts, in schema `marts`. links: the site's navigation.
    power: `power_behind_rows`, where it is known already.

    Returns `addresses`.
    """
    by_model = _grouped(rows_of(connection, ROOM / "rows.sql"), "model_id")
    known = addresses(connection)
    evidence = _Evidence(connection, power_behind_rows(connection) if power is None else power)
    (folder / MODELS_FOLDER).mkdir(parents=True, exist_ok=True)
    titles = {task.value: entry.display_name for task, entry in catalog.tasks.items()}
    models = []
    for model_id, model_rows in by_model.items():
        parts = sections(model_rows, titles)
        models.append(Model(model_rows[0], tuple(parts), known[model_id]))
        drawn = {part.anchor: _figure(part) for part in parts}
        files = _write_figures(folder, Path(known[model_id]).stem, drawn)
        text = _page(model_rows, parts, evidence, drawn, files, manifest, links)
        (folder / known[model_id]).write_text(text)
    index = render_page(
        "board/models/index.html",
        groups=groups(models),
        summary=manifest["summary"],
        links=links,
        count=len(models),
    )
    (folder / MODELS).write_text(index)
    return known


def addresses(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """The address of each model's page, by its id, in the order of their names."""
    known = [row["model_id"] for row in rows_of(connection, ROOM / "ids.sql")]
    return {model: f"{MODELS_FOLDER}/{model_page_name(model, known)}" for model in known}


def power_behind_rows(connection: duckdb.DuckDBPyConnection) -> dict[str, pictures.Power]:
    """Power of the run that stands for each row, by `leaderboard_id`; marts may be in any order."""
    return {
        row["leaderboard_id"]: pictures.Power(
            row["interval_starts"],
            row["interval_ends"],
            row["watts"],
            row["window_start"],
            row["window_end"],
        )
        for row in rows_of(connection, ROOM / "power.sql")
    }


class _Evidence:
    """What stands behind the rows, by `leaderboard_id`, and comparisons of versions by model."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, power: Mapping[str, pictures.Power]) -> None:
        self.lengths = {
            row["leaderboard_id"]: pictures.Lengths(row["bin_starts"], row["bin_ends"], row["responses"])
            for row in rows_of(connection, ROOM / "lengths.sql")
        }
        self.power = power
        self.runs = _grouped(rows_of(connection, ROOM / "runs.sql", shown=RUNS_SHOWN), "leaderboard_id")
        self.budgets = _grouped(rows_of(connection, ROOM / "budget.sql"), "leaderboard_id")
        versions = rows_of(connection, ROOM / "versions.sql", shown=VERSIONS_SHOWN)
        self.versions = _grouped(versions, "model_id")


def _page(
    rows: Sequence[Row],
    parts: Sequence[Section],
    evidence: _Evidence,
    drawn: Mapping[str, str | None],
    files: Mapping[str, str],
    manifest: Mapping[str, Any],
    links: Sequence[tuple[str, str]],
) -> str:
    return render_page(
        "board/models/page.html",
        facts=rows[0],
        sections=parts,
        anchors=_anchors(parts),
        drawn=drawn,
        figure_files=files,
        sparks={key: pictures.length_spark(evidence.lengths[key]) for key in _known(rows, evidence.lengths)},
        histograms={
            row["leaderboard_id"]: pictures.length_picture(
                evidence.lengths[row["leaderboard_id"]], row["energy_per_output_joules"]
            )
            for row in rows
            if row["leaderboard_id"] in evidence.lengths
        },
        power={key: pictures.power_picture(evidence.power[key]) for key in _known(rows, evidence.power)},
        runs=evidence.runs,
        budgets=evidence.budgets,
        versions=evidence.versions.get(rows[0]["model_id"], []),
        task_titles={part.task: part.title for part in parts},
        summary=manifest["summary"],
        links=links,
    )


def _figure(part: Section) -> str | None:
    """The frontier of a section; none with fewer than two points."""
    if len(frontier.points(part.rows)) < 2:
        return None
    return frontier.svg(part.rows, part.unit, part.scale)


def _write_figures(folder: Path, name: str, drawn: Mapping[str, str | None]) -> dict[str, str]:
    """Each figure as a file of its own; returns the file's address by the section's anchor."""
    files = {}
    for anchor, text in drawn.items():
        if text is not None:
            files[anchor] = f"{FIGURES_FOLDER}/{name}-{anchor}.svg"
            (folder / FIGURES_FOLDER).mkdir(parents=True, exist_ok=True)
            (folder / files[anchor]).write_text(standalone(text))
    return files


def _anchors(parts: Iterable[Section]) -> dict[str, str]:
    """The first row of each configuration on the page: leaderboard_id by configuration_id."""
    anchors: dict[str, str] = {}
    for part in parts:
        for row in part.rows:
            anchors.setdefault(row["configuration_id"], row["leaderboard_id"])
    return anchors


def _known(rows: Iterable[Row], known: Mapping[str, object]) -> list[str]:
    return [row["leaderboard_id"] for row in rows if row["leaderboard_id"] in known]


def _grouped(rows: Iterable[Row], key: str) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row[key]].append(row)
    return groups
