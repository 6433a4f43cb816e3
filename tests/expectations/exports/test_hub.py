"""A data set folder, read by the real `datasets` and `huggingface_hub`."""

from __future__ import annotations

import json
from pathlib import Path

import datasets
import duckdb
import pytest
from datasets.utils.metadata import MetadataConfigs
from huggingface_hub import DatasetCard
from typer.testing import CliRunner

from benchmark_tasks.disk import sha256
from benchmark_tasks.errors import DiskFull, PublicationError
from benchmark_tasks.settings import Settings
from expectations.cli import app
from expectations.exports import export_hub
from expectations.publications import Publication
from tests.expectations.publishing import published

LICENCE = "cc-by-4.0"


@pytest.fixture(scope="module")
def publication(tmp_path_factory: pytest.TempPathFactory) -> Publication:
    """Five rows of ours, one of others; a mart of another kind, and some without rows."""
    folder = tmp_path_factory.mktemp("it's exported")
    return published(
        Settings(home=folder / "home"),
        folder,
        "insert into marts.leaderboard (leaderboard_id, data_source) values ('of others', 'mlenergy-v3')",
        "create table marts.theirs as select 'mlenergy-v3' as data_source, 1 as number",
        "create table marts.kinds as select ['a', null] as list, timestamptz '2026-11-29 01:02:03+00' as at,"
        " null::double as joules, true as is_true",
        "comment on table marts.kinds is 'All kinds | of\ncells.'",
        "comment on column marts.kinds.joules is 'Joules | at most.'",
        rows=5,
    )


@pytest.fixture(scope="module")
def folder(publication: Publication, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("hub") / "out"
    assert export_hub(publication, target, licence=LICENCE, name="Energy: 'ours' # 1") == [
        "leaderboard",
        "kinds",
    ]
    return target


def test_the_real_datasets_package_reads_every_configuration(folder: Path, tmp_path: Path) -> None:
    def loaded(*name: str) -> datasets.Dataset:
        return datasets.load_dataset(str(folder), *name, split="train", cache_dir=str(tmp_path))

    assert datasets.get_dataset_config_names(str(folder)) == ["leaderboard", "kinds"]
    ours = loaded("leaderboard")
    assert ours["leaderboard_id"][:] == [f"id-{number}" for number in range(1, 6)]
    assert ours["energy_per_output_joules"][:] == [1.0 + number for number in range(1, 6)]
    assert loaded().column_names == ours.column_names, "who names no configuration gets the leaderboard"
    (cells,) = loaded("kinds")
    assert cells["list"] == ["a", None] and cells["joules"] is None and cells["is_true"] is True


def test_the_card_is_what_the_hub_reads(folder: Path) -> None:
    card = DatasetCard.load(folder / "README.md")
    assert (card.data.license, card.data.pretty_name) == (LICENCE, "Energy: 'ours' # 1")
    assert card.data.size_categories == "n<1K"
    configs = MetadataConfigs.from_dataset_card_data(card.data)
    assert configs.get_default_config_name() == "leaderboard"
    for config in configs.values():
        assert (folder / config["data_files"][0]["path"]).is_file()
    assert "| `joules` | double | Joules \\| at most. |" in card.text
    assert "All kinds | of cells. Rows: 1." in card.text


def test_where_it_comes_from_is_said_and_every_file_has_its_digest(
    folder: Path, publication: Publication
) -> None:
    provenance = json.loads((folder / "provenance.json").read_text())
    assert provenance["manifest_sha256"] == sha256(publication.path / "manifest.json")
    assert provenance["data_sources"] == "jouleboard"
    files = {str(path.relative_to(folder)) for path in (folder / "parquet").iterdir()}
    assert provenance["files"].keys() == files
    for name, file in provenance["files"].items():
        assert file["sha256"] == sha256(folder / name)


def test_rows_of_others_are_passed_on_only_when_asked(publication: Publication, tmp_path: Path) -> None:
    names = export_hub(publication, tmp_path / "all", licence="other", imported=True)
    assert names == ["leaderboard", "kinds", "theirs"]
    sql = (
        f"select count(*) from '{tmp_path}/all/parquet/leaderboard.parquet' where data_source <> 'jouleboard'"
    )
    assert duckdb.sql(sql).fetchall() == [(1,)]
    assert "their licence is theirs" in (tmp_path / "all" / "README.md").read_text()


@pytest.mark.parametrize("licence", ["", "CC BY", "MIT", "a\nb", "x: y", "-"])
def test_what_is_no_identifier_of_a_licence_is_refused(
    publication: Publication, tmp_path: Path, licence: str
) -> None:
    with pytest.raises(PublicationError, match="is no identifier of a licence"):
        export_hub(publication, tmp_path / "out", licence=licence)
    assert list(tmp_path.iterdir()) == []


def test_only_rows_of_others_are_no_data_set(tmp_path: Path) -> None:
    item = published(Settings(home=tmp_path / "home"), tmp_path, rows=0)
    with pytest.raises(PublicationError, match="has no row of ours; nothing was written"):
        export_hub(item, tmp_path / "out", licence=LICENCE)
    assert not (tmp_path / "out").exists()


def test_a_folder_with_something_in_it_and_a_full_disk(
    publication: Publication, tmp_path: Path, small_disk: Path
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("mine")
    with pytest.raises(PublicationError, match="is there already"):
        export_hub(publication, tmp_path / "full", licence=LICENCE)
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine"]
    (small_disk / "filler").write_bytes(b"0" * (250 * 1024))
    with pytest.raises(DiskFull):
        export_hub(publication, small_disk / "out", licence=LICENCE)
    assert [path.name for path in small_disk.iterdir()] == ["filler"]


def test_as_a_command(publication: Publication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOULEBOARD_HOME", str(publication.path.parents[1]))
    done = CliRunner().invoke(app, ["export", "hub", str(tmp_path / "out"), "--licence", LICENCE])
    assert done.stdout == f"wrote 2 marts of publication 1 into {tmp_path / 'out'}\n"
    assert CliRunner().invoke(app, ["export", "hub", str(tmp_path / "other")]).exit_code == 2
    assert not (tmp_path / "other").exists()
