"""What dbt has parsed is kept for the next build of the same project, and only for that."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pytest

from expectations.candidate import PROJECT, build, parsed
from expectations.candidate.build import CANDIDATE_FILE


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with one model over one input."""
    folder = tmp_path / "project"
    (folder / "models").mkdir(parents=True)
    shutil.copyfile(PROJECT / "profiles.yml", folder / "profiles.yml")
    (folder / "dbt_project.yml").write_text("name: small\nversion: 1.0.0\nprofile: jouleboard\n")
    (folder / "models" / "sources.yml").write_text(
        "sources:\n  - name: own\n    config:\n      meta:\n"
        "        external_location: '{{ var(\"inputs\") }}/{name}.parquet'\n    tables: [{name: runs}]\n"
    )
    (folder / "models" / "total.sql").write_text(
        "{{ config(materialized='table') }} select sum(x) as total from {{ source('own', 'runs') }}"
    )
    (folder / "models" / "marts").mkdir()
    (folder / "models" / "marts" / "shown.sql").write_text(
        "{{ config(materialized='view') }} select x as total from {{ source('own', 'runs') }}"
    )
    return folder


def total(project: Path, candidate: Path, value: int) -> int:
    """What the model says of one input."""
    (candidate / "inputs").mkdir(parents=True)
    duckdb.sql(f"select {value} as x").write_parquet(str(candidate / "inputs" / "runs.parquet"))
    build(candidate, project=project)
    with duckdb.connect(str(candidate / CANDIDATE_FILE), read_only=True) as connection:
        assert connection.sql("select total from main.shown").fetchall() == [(value,)], "whatever its path"
        return int(connection.sql("select total from main.total").fetchall()[0][0])


def kept(project: Path) -> list[Path]:
    return sorted((project / parsed.FOLDER).glob("parsed-*"))


def test_a_project_is_parsed_once_for_all_candidates_and_again_when_it_changed(
    project: Path, tmp_path: Path
) -> None:
    assert total(project, tmp_path / "1", 1) == 1
    (first,) = kept(project)
    before = first.stat().st_mtime_ns
    assert total(project, tmp_path / "2, and [x]", 2) == 2
    assert [path.stat().st_mtime_ns for path in kept(project)] == [before]

    model = project / "models" / "total.sql"
    model.write_text(model.read_text().replace("sum(x)", "10 * sum(x)"))
    assert parsed.read(parsed.place(project)) is None
    assert total(project, tmp_path / "3", 1) == 10
    assert len(kept(project)) == 1 and kept(project) != [first]

    (file,) = kept(project)
    whole = file.read_bytes()
    assert parsed.read(parsed.place(project)) is not None
    for damaged in (b"", b"short", whole[:-1], whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:]):
        file.write_bytes(damaged)
        assert parsed.read(parsed.place(project)) is None


def test_a_project_that_cannot_be_written_to_is_built_all_the_same(project: Path, tmp_path: Path) -> None:
    (project / parsed.FOLDER).write_text("a file where the folder would be")
    assert total(project, tmp_path / "1", 1) == 1
