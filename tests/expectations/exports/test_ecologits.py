"""Measured coefficients, read by the real `ecologits`."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest
from ecologits.model_repository import ArchitectureTypes, ModelRepository
from typer.testing import CliRunner

from benchmark_tasks.errors import PublicationError
from benchmark_tasks.settings import Settings
from benchmark_tasks.vocabulary import DataSource
from expectations.cli import app
from expectations.exports import export_ecologits
from expectations.exports.ecologits import JOULES_PER_KWH
from expectations.publications import Publication
from tests.expectations.publishing import published

LEADERBOARD = """
create or replace table marts.leaderboard (
    leaderboard_id varchar, data_source varchar, task varchar, model_id varchar, gpu_model varchar, num_gpus
    integer, batch_size integer, weight_precision varchar, runtime varchar, runtime_version varchar,
    request_set_id varchar, weights varchar, model_revision varchar, measurements integer, output_unit
    varchar, is_current_revision boolean, total_params_billions double, activated_params_billions double,
    energy_per_output_joules double, energy_per_output_low_joules double, energy_per_output_high_joules
    double, energy_per_response_joules double, output_tokens_per_response double, mean_running_requests
    double, median_itl_ms double, median_ttft_ms double
)
"""


def row(name: str, model: str, total: str, active: str, joules: str, **more: str) -> str:
    values = {
        "leaderboard_id": f"'{name}'", "data_source": "'jouleboard'", "model_id": f"'{model}'",
        "output_unit": "'token'", "is_current_revision": "true", "total_params_billions": total,
        "activated_params_billions": active, "energy_per_output_joules": joules, **more,
    }  # fmt: skip
    return f"insert into marts.leaderboard ({', '.join(values)}) values ({', '.join(values.values())})"


@pytest.fixture(scope="module")
def publication(tmp_path_factory: pytest.TempPathFactory) -> Publication:
    folder = tmp_path_factory.mktemp("coefficients")
    return published(
        Settings(home=folder / "home"),
        folder,
        LEADERBOARD,
        row("slow", "a/dense", "8.0", "8.0", "0.36", batch_size="8"),
        row("fast", "a/dense", "8.0", "8.0", "0.036", batch_size="256", energy_per_output_low_joules="0.035"),
        row("mixed", "b/moe", "30.5", "3.3", "0.5"),
        row("speed only", "c/none", "1", "1", "null"),
        row("superseded", "a/dense", "8.0", "8.0", "0.1", is_current_revision="false"),
        row("picture", "d/picture", "2", "2", "900", output_unit="'image'"),
        row("unknown size", "e/unknown", "null", "null", "0.2"),
        row("of others", "f/theirs", "7", "7", "0.2", data_source="'mlenergy-v3'"),
    )


def test_the_real_ecologits_reads_the_models(publication: Publication, tmp_path: Path) -> None:
    done = export_ecologits(publication, tmp_path / "models.json", DataSource.JOULEBOARD)
    assert (done.models, done.rows) == (2, 3)
    models = ModelRepository.from_json(str(tmp_path / "models.json"))
    assert {model.name for model in models.list_models()} == {"a/dense", "b/moe"}
    dense, mixed = (models.find_model("huggingface_hub", name) for name in ("a/dense", "b/moe"))
    assert dense is not None and mixed is not None
    assert (dense.architecture.type, dense.architecture.parameters) == (ArchitectureTypes.DENSE, 8.0)
    assert mixed.architecture.type is ArchitectureTypes.MOE
    assert mixed.architecture.parameters.model_dump() == {"total": 30.5, "active": 3.3}


def test_every_coefficient_is_that_of_its_row(publication: Publication, tmp_path: Path) -> None:
    export_ecologits(publication, tmp_path / "models.json", DataSource.JOULEBOARD)
    content = json.loads((tmp_path / "models.json").read_text())
    measured = {one["leaderboard_id"]: one for model in content["models"] for one in model["measured"]}
    assert list(measured) == ["fast", "slow", "mixed"]
    assert measured["slow"]["energy_per_output_kwh"] * JOULES_PER_KWH == pytest.approx(0.36, rel=1e-12)
    with duckdb.connect(str(publication.database), read_only=True) as connection:
        for name, one in measured.items():
            columns = [column for column in one if column != "energy_per_output_kwh"]
            query = f"select {', '.join(columns)} from marts.leaderboard where leaderboard_id = ?"
            assert connection.execute(query, [name]).fetchone() == tuple(one[column] for column in columns)
    assert content["fields"].keys() == measured["fast"].keys(), "every field is explained"


def test_rows_of_others_are_a_file_of_their_own(publication: Publication, tmp_path: Path) -> None:
    export_ecologits(publication, tmp_path / "theirs.json", DataSource.MLENERGY_V3)
    content = json.loads((tmp_path / "theirs.json").read_text())
    assert [model["name"] for model in content["models"]] == ["f/theirs"]
    assert content["data_source"] == "mlenergy-v3"


def test_nothing_to_write_and_nowhere_to_write(publication: Publication, tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_text("mine")
    with pytest.raises(PublicationError, match="is there already; name a new file"):
        export_ecologits(publication, tmp_path / "mine.json", DataSource.JOULEBOARD)
    with pytest.raises(PublicationError, match=r"out\.json: cannot be written"):
        export_ecologits(publication, tmp_path / "mine.json" / "out.json", DataSource.JOULEBOARD)
    empty = published(Settings(home=tmp_path / "home"), tmp_path, LEADERBOARD)
    with pytest.raises(PublicationError, match="no row of jouleboard has energy per output token"):
        export_ecologits(empty, tmp_path / "out.json", DataSource.JOULEBOARD)
    assert (tmp_path / "mine.json").read_text() == "mine" and not (tmp_path / "out.json").exists()


def test_as_a_command(publication: Publication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOULEBOARD_HOME", str(publication.path.parents[1]))
    done = CliRunner().invoke(app, ["export", "ecologits", str(tmp_path / "out.json")])
    assert done.stdout == f"wrote 2 models with 3 rows of publication 1 into {tmp_path / 'out.json'}\n"
