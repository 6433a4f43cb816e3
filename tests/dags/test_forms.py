"""What the forms of the DAGs refuse before anything runs."""

from __future__ import annotations

import copy
import logging
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import ParamValidationError

from benchmark_tasks.catalog import load, records
from benchmark_tasks.results.identity import NO_GPU
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.package_index import PackageIndex
from jouleboard_airflow.failures import StepFailed
from jouleboard_airflow.tasks import choices, contesting, contributing, objectives
from tests.dags.conftest import dags_with_fleet

NO_VERSIONS = (
    "1.0; touch pwned",
    "$(touch pwned)",
    "../../../../tmp/pwned",
    "--index-url=http://127.0.0.1:9/",
    "1.0\n--extra-index-url http://127.0.0.1:9/",
    "{{ conn.warehouse.password }}",
    "<script>alert(1)</script>",
    "",
)


@pytest.mark.parametrize("text", NO_VERSIONS)
@pytest.mark.parametrize(
    ("dag_id", "field"),
    [
        ("benchmark_release", "version"),
        ("benchmark_on_demand", "version"),
        ("benchmark_on_demand", "model"),
        ("benchmark_on_demand", "task"),
        ("benchmark_on_demand", "gpu_model"),
        ("benchmark_on_demand", "batch_sizes"),
        ("watch_releases", "vllm_floor"),
    ],
)
def test_a_version_is_a_version(dags: dict[str, Any], dag_id: str, field: str, text: str) -> None:
    params = copy.deepcopy(dags[dag_id].params)
    with pytest.raises(ParamValidationError):
        params[field] = text


@pytest.mark.parametrize(
    ("dag_id", "field"), [("benchmark_release", "version"), ("watch_releases", "vllm_floor")]
)
def test_a_version_is_short(dags: dict[str, Any], dag_id: str, field: str) -> None:
    params = copy.deepcopy(dags[dag_id].params)
    params[field] = "9" * 100
    with pytest.raises(ParamValidationError):
        params[field] = "9" * 101


@pytest.mark.parametrize("hours", [0, -1, 24 * 15, "soon"])
def test_a_question_ends(dags: dict[str, Any], hours: Any) -> None:
    params = copy.deepcopy(dags["refresh_leaderboard"].params)
    with pytest.raises(ParamValidationError):
        params["answer_within_hours"] = hours


ACCEPTED = "org/accepted"


@pytest.fixture
def overlay(home: Path) -> Path:
    """This installation's catalog, with one model in it."""
    folder = Settings.from_environment().catalog / "models"
    entry = load().model("Qwen/Qwen3-8B").model_copy(update={"model_id": ACCEPTED, "nickname": "Accepted"})
    records.write(records.file_of(folder, ACCEPTED), entry)
    return folder


def on_demand() -> Any:
    """The DAG as it is read now."""
    from airflow.dag_processing.dagbag import DagBag

    file = Path(__file__).parents[2] / "dags" / "benchmark_on_demand.py"
    bag = DagBag(str(file), bundle_name="dags-folder", bundle_path=file.parent)
    assert not bag.import_errors
    return bag.dags["benchmark_on_demand"]


def test_a_model_of_this_installation_can_be_chosen(overlay: Path) -> None:
    schema = on_demand().params.get_param("model").schema
    assert schema["enum"] == [*load().models, ACCEPTED]
    assert schema["values_display"][ACCEPTED] == f"Accepted ({ACCEPTED})"


def test_a_host_without_that_model_runs_the_tasks_all_the_same(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.sdk.definitions.context import _AIRFLOW_PARSING_CONTEXT_TASK_ID
    from airflow.sdk.definitions.param import process_params

    def what_plan_gets() -> dict[str, Any]:
        dag = on_demand()
        return process_params(dag, dag.get_task("plan"), {"model": ACCEPTED}, suppress_exception=False)

    with pytest.raises(ParamValidationError, match="'org/accepted' is not one of"):
        what_plan_gets()
    # As the task runner does; its context manager never takes it back.
    monkeypatch.setenv(_AIRFLOW_PARSING_CONTEXT_TASK_ID, "plan")
    assert what_plan_gets()["model"] == ACCEPTED


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"model_id: `x", "org__broken.yaml:1: file: not YAML"),
        (b"\xff\xfe", "org__broken.yaml:1: file: "),
        (b"model_id: org/broken\n", "org__broken.yaml:1: nickname: Field required"),
        (b"x: " + b"[" * 5000 + b"]" * 5000, "org__broken.yaml:1: file: nested too deeply"),
        (None, "org__broken.yaml:1: file: "),
    ],
    ids=["not YAML", "not text", "not whole", "deep", "a folder"],
)
def test_a_broken_addition_leaves_the_shipped_models(
    content: bytes | None, why: str, overlay: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broken = overlay / "org__broken.yaml"
    broken.mkdir() if content is None else broken.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        dag = on_demand()
    assert dag.params.get_param("model").schema["enum"] == list(load().models)
    assert "**The form offers only the shipped models.** Correct this error: `" in dag.doc_md
    assert why in dag.doc_md
    (line,) = [one.getMessage() for one in caplog.records if "only the shipped models" in one.getMessage()]
    assert why in line and "\n" not in line


@pytest.mark.parametrize("fleet", ["", "H200:8", "B200:8x2, H100:1", "A100:8"])
def test_what_a_form_shows_first_is_possible(
    fleet: str, home: Path, index: PackageIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = dags_with_fleet(fleet, monkeypatch)
    catalog, settings = load(), Settings.from_environment()
    untouched = {dag_id: dict(dag.params) for dag_id, dag in every.items()}
    assert choices.on_demand(untouched["benchmark_on_demand"], catalog, settings) == []
    assert choices.release(untouched["benchmark_release"], catalog) == []
    assert choices.with_gpu_model(untouched["recheck"], choices.RECHECK) == []
    assert choices.with_gpu_model(untouched["rotation"], choices.ROTATION) == []
    assert choices.with_gpu_model(untouched["confirm_changes"], choices.CONFIRM) == []
    assert contesting.misfits(untouched["contest_change"]) == []
    assert objectives.misfits(untouched["set_objective"]) == []
    assert contributing.misfits(untouched["import_contribution"]) == []
    assert choices.of_import(untouched["import_published_results"]) == []
    assert (untouched["benchmark_on_demand"]["gpu_model"] != NO_GPU) == bool(fleet)


def test_a_broken_fleet_leaves_a_form_without_gpus(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__JOULEBOARD__GPUS_HERE", "eight")
    dag = on_demand()
    assert (dag.params["model"], dag.params["gpu_model"]) == ("jouleboard/qwen3-tiny", NO_GPU)


def test_the_checks_know_every_field_by_its_title(dags: dict[str, Any]) -> None:
    fields = {
        "benchmark_on_demand": choices.ON_DEMAND,
        "benchmark_release": choices.RELEASE,
        "recheck": choices.RECHECK,
        "rotation": choices.ROTATION,
        "confirm_changes": choices.CONFIRM,
        "contest_change": choices.CONTEST,
        "set_objective": choices.OBJECTIVE,
        "refresh_leaderboard": choices.REFRESH,
        "import_published_results": choices.IMPORT,
        "import_contribution": choices.CONTRIBUTION,
        "propose_model": choices.PROPOSE,
        "housekeeping": choices.HOUSEKEEPING,
    }
    for dag_id, names in fields.items():
        params = dags[dag_id].params
        assert tuple(params) == names
        for name in names:
            assert params.get_param(name).schema["title"] == choices.TITLES[name], (dag_id, name)


def test_a_field_that_housekeeping_does_not_have_frees_nothing(dags: dict[str, Any]) -> None:
    tidy = dags["housekeeping"].get_task("housekeeping").python_callable
    with pytest.raises(StepFailed, match="'aply': the form has no such field; did you mean apply"):
        tidy(params={"apply": None, "aply": True})


def test_lists_show_readable_names(dags: dict[str, Any]) -> None:
    for dag_id, dag in dags.items():
        for name in dag.params:
            schema = dag.params.get_param(name).schema
            for value in schema.get("enum", ()):
                assert str(value) in schema["values_display"], (dag_id, name, value)


@pytest.mark.parametrize("text", ["a\x00b", "\x1b[2J", "x" * 2001])
@pytest.mark.parametrize("field", ["note", "approve", "gpu_model"])
def test_a_text_is_text(dags: dict[str, Any], field: str, text: str) -> None:
    params = copy.deepcopy(dags["benchmark_release"].params)
    with pytest.raises(ParamValidationError):
        params[field] = text


def test_settings_that_cannot_be_read_take_no_form_away(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOULEBOARD_RAW", "s3://key:secret@bucket/raw")
    dag = on_demand()
    assert "JOULEBOARD_RAW contains credentials" in dag.doc_md and "secret@" not in dag.doc_md
