"""The Parquet files of a bundle: every value is kept, in little room, for every reader."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmark_tasks.results.tables import REQUESTS, TIMELINES, write_table

BUNDLE = (
    Path(__file__).parents[3]
    / "recorded_runs"
    / "h200-2026-11-30-releases-experts"
    / "01a22a8d-ab67-76f8-90e0-877856483bb1"
)


@pytest.mark.parametrize(
    ("name", "schema", "most"), [("requests", REQUESTS, 0.75), ("timelines", TIMELINES, 0.65)]
)
def test_what_was_written_with_dictionaries_is_the_same_in_less_room(
    tmp_path: Path, name: str, schema: pa.Schema, most: float
) -> None:
    """The bundle has the times of all tokens of its answers. Once there was a dictionary per column."""
    before, after = tmp_path / "before.parquet", tmp_path / f"{name}.parquet"
    table = pq.read_table(BUNDLE / f"{name}.parquet")
    pq.write_table(table, before, compression="zstd")
    write_table(after, table.to_pylist(), schema)
    assert pq.read_table(after).equals(table)
    assert after.stat().st_size < most * before.stat().st_size
    query = "select count(*), bit_xor(hash(each)) from '{}' each"
    assert duckdb.sql(query.format(after)).fetchall() == duckdb.sql(query.format(before)).fetchall()


def test_a_table_without_rows_has_its_columns(tmp_path: Path) -> None:
    write_table(tmp_path / "requests.parquet", [], REQUESTS)
    assert pq.read_schema(tmp_path / "requests.parquet").equals(REQUESTS)
