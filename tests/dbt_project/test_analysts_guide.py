"""docs/analysts.md does what it says: its queries give its answers, its snippets run."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet
import pytest

from expectations.candidate.build import PROJECT
from tests.expectations.publishing import write_marts

GUIDE = (Path(__file__).parents[2] / "docs" / "analysts.md").read_text()
QUESTIONS = re.findall(
    r"^### (\d+\. .*?)$.*?^```sql\n(.*?)^```\n\n((?:^\|[^\n]*\n)+)", GUIDE, re.MULTILINE | re.DOTALL
)
SNIPPETS = re.findall(r"^```python\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)


def cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)


def test_there_are_eleven_questions() -> None:
    assert len(QUESTIONS) == 11


def test_the_index_names_every_mart() -> None:
    index = GUIDE[GUIDE.index("## Which mart answers what") : GUIDE.index("## Opening it")]
    rows = [line for line in index.splitlines() if line.startswith("|")]
    marts = {path.stem for path in (PROJECT / "models" / "marts").rglob("*.sql")}
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == marts


@pytest.mark.parametrize(("question", "query", "answer"), QUESTIONS, ids=[q[0][:50] for q in QUESTIONS])
def test_the_answer_is_the_one_shown(
    question: str, query: str, answer: str, published: duckdb.DuckDBPyConnection
) -> None:
    result = published.execute(query)
    header = [column[0] for column in result.description or ()]
    rows = [[cell(value) for value in row] for row in result.fetchall()]
    shown = [[part.strip() for part in line.strip("|").split("|")] for line in answer.splitlines()]
    assert [header, *rows] == [shown[0], *shown[2:]]


@pytest.fixture(scope="module")
def written(warehouse: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a publication that the snippets open, at the place where they open them."""
    root = tmp_path_factory.mktemp("guide")
    folder = root / "var" / "published" / "current"
    folder.mkdir(parents=True)
    write_marts(warehouse.built.database, folder)
    return root


@pytest.mark.parametrize("snippet", SNIPPETS, ids=["descriptions", "duckdb", "pandas", "polars", "arrow"])
def test_the_snippets_run(
    snippet: str,
    written: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(written)
    exec(compile(snippet, "docs/analysts.md", "exec"), {})
    assert capsys.readouterr().out.strip()


def test_every_published_table_and_column_says_what_it_is(written: Path) -> None:
    folder = written / "var" / "published" / "current"
    with duckdb.connect(str(folder / "leaderboard.duckdb"), read_only=True) as database:
        tables = dict(database.execute("select table_name, comment from duckdb_tables()").fetchall())
        columns = database.execute(
            "select table_name, column_name, comment from duckdb_columns() where schema_name = 'marts'"
        ).fetchall()
    assert [name for name, comment in tables.items() if not comment.startswith("Grain: one row per ")] == []
    assert [(table, column) for table, column, comment in columns if not comment] == []
    for name, comment in tables.items():
        metadata = pyarrow.parquet.read_schema(folder / "parquet" / f"{name}.parquet").metadata
        assert metadata[b"description"].decode() == comment
        described = {column: text for table, column, text in columns if table == name}
        assert json.loads(metadata[b"columns"]) == described
