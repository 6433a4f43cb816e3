"""The dbt project is parsed once per process; each candidate is built from its own inputs all the same."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from benchmark_tasks.errors import BuildError
from expectations.candidate.build import PROJECT, build


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of one model, with our profile."""
    folder = tmp_path / "project"
    (folder / "models").mkdir(parents=True)
    (folder / "dbt_project.yml").write_text("name: small\nprofile: jouleboard\nmodel-paths: [models]\n")
    (folder / "profiles.yml").write_text((PROJECT / "profiles.yml").read_text())
    write(folder, "n")
    return folder


def write(project: Path, column: str) -> None:
    table = "{{ config(materialized='table') }}"
    model = f"{table} select {column} as m from 'inputs/numbers.parquet'"
    (project / "models" / "one.sql").write_text(model)


def built(project: Path, name: str, number: int) -> int:
    """What the model says for a candidate with this number among its inputs."""
    candidate = project.with_name(name)
    (candidate / "inputs").mkdir(parents=True)
    numbers = candidate / "inputs" / "numbers.parquet"
    duckdb.execute(f"copy (select {number} as n) to '{numbers}' (format parquet)")
    with duckdb.connect(str(build(candidate, project=project).database)) as connection:
        ((found,),) = connection.execute("select m from main.one").fetchall()
    return int(found)


def test_each_candidate_has_its_own_inputs_and_a_changed_model_counts(project: Path) -> None:
    assert [built(project, "a", 1), built(project, "b, with a comma", 2)] == [1, 2]
    write(project, "10 * n")
    assert built(project, "c", 3) == 30
    write(project, "nothing_like_that")
    with pytest.raises(BuildError, match="nothing_like_that"):
        built(project, "d", 4)
    write(project, "{{ n")
    with pytest.raises(BuildError, match="dbt"):
        built(project, "e", 5)
    write(project, "n")
    assert built(project, "f", 6) == 6
