"""The pages of a publication while its marts are still being copied."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from benchmark_tasks import catalog
from expectations.board import write_site
from expectations.pages import drawings
from expectations.publications import SITE_FOLDER, Marts
from tests.dbt_project.conftest import Warehouse

SUMMARY = {
    "publication_number": 1,
    "published_at": "2026-11-20T00:00:00+00:00",
    "git_commit": None,
    "note": "first",
    "row_count": 10,
    "run_count": 1,
    "gate_verdict": "passed",
}


RUNS = {"landed": 0, "accepted": 0, "quarantined": 0}


class LateMarts(Marts):
    """No mart has a table before it was waited for by its name."""

    def wait(self, names: Iterable[str] | None = None) -> None:
        for name in self._later.keys() & (self.names if names is None else set(names)):
            self.connection.execute(f"create table marts.{name} as from candidate.marts.{name} order by all")
            del self._later[name]


@pytest.fixture(params=["designed_warehouse", "empty_warehouse"])
def candidate(request: pytest.FixtureRequest) -> Path:
    built: Warehouse = request.getfixturevalue(request.param)
    return built.built.database


def test_a_page_reads_no_mart_that_it_did_not_wait_for(candidate: Path, tmp_path: Path) -> None:
    with drawings.kept_in(tmp_path / "drawings", "of this test"):  # each has the same names inside
        late, there = (
            _pages(candidate, tmp_path / name, are_late=name == "late") for name in ("late", "there")
        )
    assert late.keys() == there.keys()
    assert [name for name in late if late[name] != there[name]] == []
    assert "models.html" in late


def _pages(candidate: Path, folder: Path, *, are_late: bool) -> dict[str, bytes]:
    site = folder / SITE_FOLDER
    site.mkdir(parents=True)
    with duckdb.connect() as connection:
        connection.execute(f"attach '{candidate}' as candidate (read_only); create schema marts")
        here = "from duckdb_columns() where database_name = 'candidate' and schema_name = 'marts'"
        rows = connection.execute(
            f"select table_name, list(column_name order by column_index) {here} group by all"
        ).fetchall()
        tables: dict[str, dict[str, Any]] = {
            name: {"rows": 1, "columns": columns} for name, columns in sorted(rows)
        }
        marts = LateMarts(candidate, connection, frozenset(tables), tables, dict.fromkeys(tables))  # type: ignore[arg-type]
        if not are_late:
            marts.wait()
        manifest = {"summary": SUMMARY, "tables": tables, "history": [], "runs": RUNS, "gate": {}, "dbt": {}}
        write_site(folder, marts, manifest, catalog.load())
    return {
        str(path.relative_to(site)): path.read_bytes() for path in site.rglob("*") if path.suffix == ".html"
    }
