"""Published, exported as Parquet, read by the real `mlenergy-data`, imported again: the same rows."""

from __future__ import annotations

from pathlib import Path

import pytest
from mlenergy.data import DiffusionRuns, LLMRuns

from benchmark_tasks import catalog
from benchmark_tasks.vocabulary import DataSource
from expectations.exports.mlenergy import write_layout
from expectations.exports.mlenergy_runs import write_runs
from tests.dbt_project.conftest import Warehouse
from tests.dbt_project.test_export_mlenergy import DAY, imported


@pytest.mark.parametrize("source", list(DataSource))
def test_the_same_rows_come_back(warehouse: Warehouse, tmp_path: Path, source: DataSource) -> None:
    layout, parquet = tmp_path / "layout", tmp_path / "parquet"
    layout.mkdir()
    parquet.mkdir()
    with warehouse.connect() as connection:
        connection.execute("set schema = 'marts'")
        write_layout(connection, layout, source, catalog.load(), DAY)
        done = write_runs(connection, parquet, source, catalog.load())
    read = [len(kind.from_directory(parquet)) for kind in (LLMRuns, DiffusionRuns) if _has(parquet, kind)]
    assert sum(read) == done.rows > 0
    rows, expected = imported(parquet, tmp_path / "one"), imported(layout, tmp_path / "two")
    differs = {
        name: (row[name], other[name])
        for row, other in zip(rows, expected, strict=True)
        for name in row
        if row[name] != other[name] and name not in _OF_FILES
    }
    assert differs == {}


_OF_FILES = {"published_on", "completed_requests"}
"""That layout has no day, so an import takes that of its files; and no histogram, whose answers it counts."""


def _has(folder: Path, kind: type) -> bool:
    return (folder / "runs" / ("llm.parquet" if kind is LLMRuns else "diffusion.parquet")).exists()
