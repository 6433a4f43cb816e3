"""SQL files beside their modules, with Jinja where they need parameters, and the rows that they give."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark_tasks.plan.versions import START_LABEL

if TYPE_CHECKING:
    import duckdb

Row = dict[str, Any]

ROW_NAME = (
    "concat_ws(' | ', data_source, model_id, task, concat(num_gpus, 'x ', gpu_model),"
    " concat('batch ', batch_size), runtime_version, left(model_revision, 12), left(leaderboard_id, 8))"
)
"""Name of a leaderboard row for people; every file may use it as `{{ row_name }}`.

`{{ release_of('column') }}` is a version without how its server was started, `{{ how_started('column') }}`
is that; dbt has macros of these names.
"""


def load_sql(path: Path, **parameters: object) -> str:
    """The text of a SQL file, its Jinja parameters filled in. They are SQL or names, never data.

    Raises:
        jinja2.UndefinedError: the file has a parameter that was not passed.
    """
    from jinja2 import Environment, StrictUndefined

    template = Environment(undefined=StrictUndefined, autoescape=False).from_string(path.read_text())
    shared = {"row_name": ROW_NAME, "release_of": _release_of, "how_started": _how_started}
    return template.render(**shared, **parameters)


def _release_of(column: str) -> str:
    return f"regexp_replace({column}, '{START_LABEL}', '')"


def _how_started(column: str) -> str:
    return f"regexp_extract({column}, '{START_LABEL}', 1)"


def rows_of_query(
    connection: duckdb.DuckDBPyConnection, query: str, values: Mapping[str, object] | None = None
) -> list[Row]:
    """What a query gives: one dict per row, by the columns' names. values: of its `$name` parameters."""
    result = connection.execute(query, values)
    names = [column[0] for column in result.description or ()]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def rows_of(connection: duckdb.DuckDBPyConnection, path: Path, **parameters: object) -> list[Row]:
    """What the query of a file gives, one dict per row. parameters: SQL or names, never data."""
    return rows_of_query(connection, load_sql(path, **parameters))
