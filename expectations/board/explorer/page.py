"""Writes the explorer's page: the rows of the leaderboard, the first figure and table, and the scripts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from benchmark_tasks.catalog import Catalog
from benchmark_tasks.results.identity import NO_GPU
from benchmark_tasks.vocabulary import Task
from expectations.board.explorer.first_view import FirstView, Row, first_view, scatter
from expectations.board.libraries import LIBRARIES, table_style
from expectations.board.packed import pack
from expectations.board.reading import SOURCES
from expectations.board.reading.figures import theme
from expectations.pages import render_page
from expectations.pages.numbers import significant
from expectations.sql import load_sql

if TYPE_CHECKING:
    import duckdb

ROOM = Path(__file__).parent
SCRIPTS = (
    "rows", "words", "selection", "scope", "address", "answer", "crowd", "figure", "captions", "table",
    "controls", "takeaway", "compare", "details", "explorer",
)  # fmt: skip
"""The page's own scripts, in the order in which they need each other."""

PRESETS = {"token": (50, 100, 250), "image": (10, 30, 60), "video": (100, 500, 1000)}
"""Ceilings that the page offers, by output: ITL in ms or batch latency in s, as in the published figures."""

NEEDED = (
    "leaderboard_id", "configuration_id", "data_source", "task", "model_id", "nickname", "organisation",
    "weight_precision", "weights", "tier", "gpu_model", "num_gpus", "batch_size", "runtime",
    "runtime_version", "request_set_id", "length_control", "power_limit_watts", "model_revision",
    "inference_steps", "height", "width", "num_frames", "output_unit", "energy_source",
    "energy_per_output_joules", "energy_per_response_joules", "median_itl_ms",
    "batch_latency_seconds", "median_ttft_ms", "weights_order", "generation_order", "weights_reference",
    "weights_energy_difference", "weights_energy_difference_half_width", "weights_median_itl_difference",
    "canaries_unchanged_until",
)  # fmt: skip
"""Columns that the scripts read by name; NULL where an older mart lacks one."""

SORTED_BY = ("task", "data_source", "nickname", "model_id", "weight_precision", "gpu_model", "num_gpus")
"""Neighbouring rows are alike, so that their columns pack well."""

Links = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Column:
    """A column of the mart. comment: its definition; None if it has none."""

    name: str
    data_type: str
    comment: str | None


def render_explorer(
    connection: duckdb.DuckDBPyConnection,
    manifest: Mapping[str, Any],
    catalog: Catalog,
    model_pages: Mapping[str, str],
    **rest: Any,
) -> str:
    """The page as text. All text from data is escaped.

    connection: the publication's marts, in schema `marts`. model_pages: address of each model's page, by
    its id. rest: what `page.html` shows besides, such as the site's navigation.
    """
    columns = mart_columns(connection)
    tasks = [(task.value, catalog.tasks[task].display_name) for task in Task if task in catalog.tasks]
    by_task = rows_by_task(connection, columns)
    view = first_view(by_task, tasks)
    factor, unit = view.energy_unit
    return render_page(
        "board/explorer/page.html",
        summary=manifest["summary"],
        view=view,
        model_pages=model_pages,
        tasks=tasks,
        source_titles=SOURCES,
        energy_factor=factor,
        energy_unit=unit,
        figures=_figures,
        gpus={row["gpu_model"] for row in view.rows},
        gpu_colours=theme.GPU_COLOURS,
        libraries=LIBRARIES,
        table_style=table_style(),
        scripts=[f"board/explorer/scripts/{name}.js" for name in SCRIPTS],
        figure=scatter(),
        leaderboard=packed(by_task, [column.name for column in columns]),
        meta=_meta(manifest, tasks, columns, view, model_pages),
        **rest,
    )


def _figures(value: float | None) -> str:
    return "\u2013" if value is None else significant(value)


def mart_columns(connection: duckdb.DuckDBPyConnection) -> list[Column]:
    """The columns of `leaderboard`, and those that the page needs and an older mart lacks."""
    rows = connection.execute(load_sql(ROOM / "columns.sql")).fetchall()
    present = [Column(*row) for row in rows]
    names = {column.name for column in present}
    return [*present, *(Column(name, "", None) for name in NEEDED if name not in names)]


def rows_by_task(connection: duckdb.DuckDBPyConnection, columns: Sequence[Column]) -> dict[str, list[Row]]:
    """The rows of each task, each model at its current revision."""
    names = [column.name for column in columns]
    present = [column.name for column in columns if column.data_type]
    sql = load_sql(
        ROOM / "rows.sql",
        columns=[name if name in present else f"null as {name}" for name in names],
        order=[*(name for name in SORTED_BY if name in present), *present],
        has_revisions="is_current_revision" in present,
    )
    by_task: dict[str, list[Row]] = {}
    for values in connection.execute(sql).fetchall():
        row = dict(zip(names, values, strict=True))
        by_task.setdefault(row["task"], []).append(row)
    return by_task


def packed(by_task: Mapping[str, Sequence[Row]], names: Sequence[str]) -> dict[str, Any]:
    """The rows for the scripts, by task: their number and their columns (`packed.py`)."""
    return {
        task: {"count": len(rows), "columns": pack(names, [[row[name] for name in names] for row in rows])}
        for task, rows in by_task.items()
    }


def _meta(
    manifest: Mapping[str, Any],
    tasks: Sequence[tuple[str, str]],
    columns: Sequence[Column],
    view: FirstView,
    model_pages: Mapping[str, str],
) -> dict[str, Any]:
    """What the scripts know besides rows."""
    return {
        "publication": manifest["summary"]["publication_number"],
        "tasks": tasks,
        "sources": SOURCES,
        "first": {"task": view.task, "source": view.source},
        "presets": PRESETS,
        "noGpu": NO_GPU,
        "modelPages": model_pages,
        "colours": {gpu: colour[4:-1] for gpu, colour in theme.GPU_COLOURS.items()},
        "columns": described(columns),
    }


def described(columns: Sequence[Column]) -> list[dict[str, Any]]:
    """The columns with group, title, unit and definition, in the order of the page's choice of columns."""
    words = _words()
    known = [name for name in words if name in {column.name for column in columns}]
    by_name = {column.name: column for column in columns}
    others = [column.name for column in columns if column.name not in words]
    return [_described(by_name[name], words.get(name, {})) for name in (*known, *others)]


def _described(column: Column, words: Mapping[str, Any]) -> dict[str, Any]:
    counted = "INT" in column.data_type
    number = counted or any(kind in column.data_type for kind in ("DOUBLE", "FLOAT", "DECIMAL"))
    return {
        "group": "Ids and other",
        "title": column.name.replace("_", " "),
        **words,
        "key": column.name,
        "number": number,
        "counted": counted,
        "definition": " ".join((column.comment or "").split()),
    }


@cache
def _words() -> dict[str, dict[str, Any]]:
    """Words by column, from `columns.yaml`."""
    groups = yaml.safe_load((ROOM / "columns.yaml").read_text())
    return {
        name: {"group": group, **words} for group, named in groups.items() for name, words in named.items()
    }
