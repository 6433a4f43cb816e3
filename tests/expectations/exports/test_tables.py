"""CSV files and Croissant metadata, read by DuckDB and by the real `mlcroissant`."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import mlcroissant
import pytest
from typer.testing import CliRunner

from benchmark_tasks.disk import sha256
from benchmark_tasks.errors import DiskFull, PublicationError
from benchmark_tasks.settings import Settings
from expectations import publications
from expectations.cli import app
from expectations.exports import export_tables
from expectations.publications import Publication
from tests.expectations.publishing import make_candidate, publish

ODD = [
    (1, 'quotes " and, commas\nand lines', ["a", "b,c"], None),
    (2, "", [], 0.1 + 0.2),
    (3, None, None, 1e-300),
]


@pytest.fixture(scope="module")
def publication(tmp_path_factory: pytest.TempPathFactory) -> Publication:
    """The marts that every publication has, and one whose cells are hard to write as text."""
    folder = tmp_path_factory.mktemp("it's exported")
    settings = Settings(home=folder / "home")
    candidate = make_candidate(folder / "candidate.duckdb", rows=5)
    with duckdb.connect(str(candidate)) as connection:
        connection.execute(
            "create table marts.odd (number integer, words varchar, list varchar[], joules double,"
            " moment timestamptz, day date, is_true boolean)"
        )
        for row in ODD:
            connection.execute(
                "insert into marts.odd values (?, ?, ?, ?, '2026-11-29 01:02:03+00', '2026-11-29', true)",
                list(row),
            )
        connection.execute("comment on column marts.odd.joules is 'Joules, at most.'")
        connection.execute("comment on table marts.odd is 'Odd cells.'")
    publish(settings, candidate, "to export")
    return publications.require_current(settings)


def test_every_mart_is_a_csv_file_with_all_digits(publication: Publication, tmp_path: Path) -> None:
    names = export_tables(publication, tmp_path / "out")
    assert names == sorted([f"{mart}.csv" for mart in publication.rows] + ["croissant.json"])
    rows = duckdb.sql(f"select * from read_csv('{tmp_path}/out/odd.csv', header = true)").fetchall()
    assert [(row[0], row[3]) for row in rows] == [(number, joules) for number, _, _, joules in ODD]
    assert rows[0][1] == ODD[0][1]
    parquet = str(publication.path / publications.PARQUET_FOLDER / "leaderboard.parquet").replace("'", "''")
    exported, published = (
        duckdb.sql(f"select leaderboard_id, energy_per_output_joules from '{path}'").fetchall()
        for path in (f"{tmp_path}/out/leaderboard.csv", parquet)
    )
    assert exported == published


def test_the_real_reader_of_croissant_accepts_it(publication: Publication, tmp_path: Path) -> None:
    export_tables(publication, tmp_path / "out")
    data_set = mlcroissant.Dataset(str(tmp_path / "out" / "croissant.json"))
    assert data_set.metadata.issues.errors == set()
    records = list(data_set.records("leaderboard"))
    assert [record["leaderboard/leaderboard_id"].decode() for record in records] == [
        f"id-{n}" for n in range(1, 6)
    ]
    assert [record["leaderboard/energy_per_output_joules"] for record in records] == [
        0.5 + n for n in range(1, 6)
    ]
    odd = list(data_set.records("odd"))
    assert [record["odd/joules"] for record in odd] == [None, 0.1 + 0.2, 1e-300]
    assert odd[0]["odd/words"].decode() == ODD[0][1]


def test_columns_carry_their_descriptions_and_files_their_digest(
    publication: Publication, tmp_path: Path
) -> None:
    export_tables(publication, tmp_path / "out")
    metadata = json.loads((tmp_path / "out" / "croissant.json").read_text())
    (odd,) = (records for records in metadata["recordSet"] if records["name"] == "odd")
    assert odd["description"] == "Odd cells."
    described = {field["name"]: (field["description"], field["dataType"]) for field in odd["field"]}
    assert described["joules"] == ("Joules, at most.", "cr:Float64")
    assert described["moment"][1] == "sc:DateTime" and described["list"][1] == "sc:Text"
    for file in metadata["distribution"]:
        assert file["sha256"] == sha256(tmp_path / "out" / file["contentUrl"])


def test_the_same_publication_gives_the_same_bytes(publication: Publication, tmp_path: Path) -> None:
    for name in ("one", "two"):
        export_tables(publication, tmp_path / name)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


def test_a_folder_with_something_in_it_is_left_alone(publication: Publication, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    for folder in (tmp_path, tmp_path / "mine"):
        with pytest.raises(PublicationError, match="is there already; name a new folder"):
            export_tables(publication, folder)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_full_disk_leaves_nothing(publication: Publication, small_disk: Path) -> None:
    (small_disk / "filler").write_bytes(b"0" * (240 * 1024))
    with pytest.raises(DiskFull):
        export_tables(publication, small_disk / "out")
    assert [path.name for path in small_disk.iterdir()] == ["filler"]


def test_as_a_command(publication: Publication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOULEBOARD_HOME", str(publication.path.parents[1]))
    done = CliRunner().invoke(app, ["export", "tables", str(tmp_path / "out")])
    assert done.stdout == f"wrote 7 files of publication 1 into {tmp_path / 'out'}\n"
    failed = CliRunner().invoke(app, ["export", "tables", str(tmp_path / "again"), "--publication", "9"])
    assert isinstance(failed.exception, PublicationError)
    assert not (tmp_path / "again").exists()
