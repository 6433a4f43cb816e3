"""Published, exported in ML.ENERGY's layout, imported again: the same rows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from benchmark_tasks import catalog
from benchmark_tasks.errors import PublicationError
from benchmark_tasks.imports import mlenergy
from benchmark_tasks.imports.rows import OutputLengths
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.leaderboard import write_leaderboard
from benchmark_tasks.vocabulary import DataSource
from benchmarks.published import published_folder
from expectations.exports.mlenergy import Exported, _histogram, _sum, write_layout
from tests.dbt_project.conftest import Warehouse

DAY = date(2026, 11, 29)


@pytest.fixture
def connection(warehouse: Warehouse) -> Iterator[duckdb.DuckDBPyConnection]:
    with warehouse.connect() as connection:
        connection.execute("set schema = 'marts'")
        yield connection


def export(connection: duckdb.DuckDBPyConnection, folder: Path, source: DataSource) -> Exported:
    folder.mkdir()
    return write_layout(connection, folder, source, catalog.load(), DAY)


def imported(folder: Path, home: Path) -> list[dict[str, Any]]:
    """What an import of a folder stores, without the order of the file; of repeats the one that counts."""
    settings = Settings(home=home)
    mlenergy.import_results(str(folder), settings)
    stored = mlenergy.current(settings)
    assert stored is not None
    rows = pq.read_table(stored / "mlenergy_configurations.parquet").drop_columns(["row_number"])
    counting = [row for row in rows.to_pylist() if row["replicate"] == 1]
    return sorted(counting, key=lambda row: str(row["measurement_id"]))


def test_rows_of_others_come_back_as_they_were(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    original = published_folder() or write_leaderboard(tmp_path / "original")
    done = export(connection, tmp_path / "out", DataSource.MLENERGY_V3)
    assert done.left_out == {}
    before = imported(Path(original), tmp_path / "one")
    assert imported(tmp_path / "out", tmp_path / "two") == before
    assert done.rows == len(before)
    index, other = (
        json.loads((folder / "index.json").read_text()) for folder in (tmp_path / "out", Path(original))
    )
    assert index == other


def test_a_model_s_file_has_the_histograms_that_the_web_app_draws(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    """It draws none for a model without a histogram of its own; bars are taken to be equally wide."""
    original = Path(published_folder() or write_leaderboard(tmp_path / "original"))
    export(connection, tmp_path / "out", DataSource.MLENERGY_V3)
    export(connection, tmp_path / "ours", DataSource.JOULEBOARD)
    drawn = 0
    for path in [*(tmp_path / "out" / "models").iterdir(), *(tmp_path / "ours" / "models").iterdir()]:
        content, theirs = json.loads(path.read_text()), original / "models" / path.name
        parts = [
            each["output_length_distribution"]
            for each in content["configurations"]
            if "output_length_distribution" in each
        ]
        if not parts:
            continue
        whole = content["output_length_distribution"]
        for each in (whole, *parts):
            widths = [high - low for low, high in zip(each["bins"], each["bins"][1:], strict=False)]
            assert max(widths) == pytest.approx(min(widths), rel=1e-6)
        assert sum(whole["counts"]) == sum(sum(each["counts"]) for each in parts)
        drawn += 1
        if path.parent.parent.name == "out" and theirs.exists():
            before = json.loads(theirs.read_text())
            if len(before["configurations"]) == len(parts) and "output_length_distribution" in before:
                assert filled(whole) == filled(before["output_length_distribution"])
    assert drawn > 1


def filled(histogram: dict[str, list[float]]) -> list[tuple[float, float]]:
    """Bins with responses: where they begin, and how many."""
    pairs = zip(histogram["bins"], histogram["counts"], strict=False)
    return [(round(edge, 3), count) for edge, count in pairs if count]


def test_bins_that_lie_within_others_are_added_and_others_are_not() -> None:
    narrow = _histogram([(0.0, 4.0, 1), (12.0, 16.0, 2)])
    assert narrow == OutputLengths(bins=[0, 4, 8, 12, 16], counts=[1, 0, 0, 2])
    wide = OutputLengths(bins=[8, 16, 24], counts=[3, 4])
    assert _sum([narrow, wide]) == OutputLengths(bins=[0, 8, 16, 24], counts=[1, 5, 4])
    assert _sum([wide, OutputLengths(bins=[6, 10], counts=[1])]) is None
    assert _histogram([(2.0, 4.5, 1), (9.5, 12.0, 2)]).bins == [2, 4.5, 7, 9.5, 12]


def test_our_rows_are_what_the_marts_say(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    done = export(connection, tmp_path / "out", DataSource.JOULEBOARD)
    rows = imported(tmp_path / "out", tmp_path / "home")
    assert len(rows) == done.rows > 0
    (ours,) = connection.execute(
        "select count(*) from leaderboard where data_source = 'jouleboard'"
    ).fetchall()
    assert done.rows + sum(done.left_out.values()) == ours[0]
    for row in rows:
        energy = (
            row["energy_per_token_joules"] or row["energy_per_image_joules"] or row["energy_per_video_joules"]
        )
        found = connection.execute(
            "select count(*) from leaderboard where data_source = 'jouleboard' and configuration_id = ?"
            " and energy_per_output_joules = ?",
            [row["configuration_id"], energy],
        ).fetchone()
        assert found is not None and found[0] >= 1


def test_a_row_without_energy_is_left_out_and_counted(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    done = export(connection, tmp_path / "out", DataSource.JOULEBOARD)
    assert any(why.startswith("no ") for why in done.left_out)
    assert f"{done.rows} rows of " in str(done) and "left out " in str(done)
    assert json.loads((tmp_path / "out" / "index.json").read_text())["last_updated"] == str(DAY)


def test_without_a_row_that_fits_nothing_is_said_to_be_exported(warehouse: Warehouse, tmp_path: Path) -> None:
    with warehouse.copy() as connection:
        connection.execute("set schema = 'memory.marts'")
        connection.execute("update leaderboard set energy_per_output_joules = null")
        with pytest.raises(PublicationError, match=r"^no row of jouleboard fits ML\.ENERGY's layout"):
            export(connection, tmp_path / "out", DataSource.JOULEBOARD)
