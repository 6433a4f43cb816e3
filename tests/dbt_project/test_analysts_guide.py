"""docs/analysts.md does what it says: its queries give its answers, its snippets run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import duckdb
import pytest

GUIDE = (Path(__file__).parents[2] / "docs" / "analysts.md").read_text()
QUESTIONS = re.findall(
    r"^### (\d+\. .*?)$.*?^```sql\n(.*?)^```\n\n((?:^\|[^\n]*\n)+)", GUIDE, re.MULTILINE | re.DOTALL
)
SNIPPETS = re.findall(r"^```python\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)


def cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)


def test_there_are_ten_questions() -> None:
    assert len(QUESTIONS) == 10


@pytest.mark.parametrize(("question", "query", "answer"), QUESTIONS, ids=[q[0][:50] for q in QUESTIONS])
def test_the_answer_is_the_one_shown(
    question: str, query: str, answer: str, published: duckdb.DuckDBPyConnection
) -> None:
    result = published.execute(query)
    header = [column[0] for column in result.description or ()]
    rows = [[cell(value) for value in row] for row in result.fetchall()]
    shown = [[part.strip() for part in line.strip("|").split("|")] for line in answer.splitlines()]
    assert [header, *rows] == [shown[0], *shown[2:]]


@pytest.fixture
def publication(marts: duckdb.DuckDBPyConnection, warehouse: Any, tmp_path: Path) -> Path:
    """The files that the snippets open, at the place where they open them."""
    folder = tmp_path / "var" / "published" / "current"
    (folder / "parquet").mkdir(parents=True)
    for name in ("leaderboard", "min_energy_configurations"):
        marts.execute(f"copy marts.{name} to '{folder}/parquet/{name}.parquet' (format parquet)")
    with duckdb.connect(str(folder / "leaderboard.duckdb")) as database:
        database.execute("create schema marts")
        database.execute(f"create table marts.leaderboard as from '{folder}/parquet/leaderboard.parquet'")
    return tmp_path


@pytest.mark.parametrize("snippet", SNIPPETS, ids=["duckdb", "pandas", "polars", "arrow"])
def test_the_snippets_run(
    snippet: str,
    publication: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(publication)
    exec(compile(snippet, "docs/analysts.md", "exec"), {})
    assert capsys.readouterr().out.strip()
