"""Every DAG file: read without errors, fast, and documented."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.dags.conftest import dags_with_fleet

DAGS = Path(__file__).parents[2] / "dags"
DAG_IDS = {
    "watch_releases",
    "propose_model",
    "benchmark_release",
    "benchmark_on_demand",
    "recheck",
    "rotation",
    "confirm_changes",
    "contest_change",
    "set_objective",
    "import_published_results",
    "import_contribution",
    "refresh_leaderboard",
    "weekly_digest",
    "housekeeping",
}
MEASURING = ("benchmark_release", "benchmark_on_demand", "recheck", "rotation", "confirm_changes")
HEAVY = ("great_expectations", "dbt", "duckdb", "pandas", "torch", "pyarrow", "scipy", "zeus")

_READ_ALL = """
import json, sys
from airflow.dag_processing.dagbag import DagBag
before = set(sys.modules)
bag = DagBag({folder!r})
new = {{name.partition(".")[0] for name in set(sys.modules) - before}}
deadlines = {{
    dag_id: [deadline.interval.total_seconds() / 3600 for deadline in dag.deadline or ()]
    for dag_id, dag in bag.dags.items()
}}
answer = {{"errors": bag.import_errors, "dags": sorted(bag.dags), "imported": sorted(new)}}
print(json.dumps(answer | {{"deadlines": deadlines}}))
"""


@pytest.fixture(scope="module")
def reading() -> dict[str, Any]:
    """What reading all files in a fresh process gives."""
    script = _READ_ALL.format(folder=str(DAGS))
    answer = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "JOULEBOARD_DEADLINE_HOURS": "24"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    return dict(json.loads(answer.stdout.splitlines()[-1]))


@pytest.fixture(scope="module")
def fleet(dags: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The DAGs of an installation with GPU hosts of two kinds."""
    with pytest.MonkeyPatch.context() as patch:
        yield dags_with_fleet("H200:4, B200:8x2", patch)


def test_every_file_is_read_without_errors(reading: dict[str, Any]) -> None:
    assert reading["errors"] == {}
    assert set(reading["dags"]) == DAG_IDS


def test_reading_imports_nothing_heavy(reading: dict[str, Any]) -> None:
    assert not set(HEAVY) & set(reading["imported"])


@pytest.mark.parametrize("dag_id", sorted(DAG_IDS))
def test_a_dag_is_documented_tagged_and_owned(dags: dict[str, Any], dag_id: str) -> None:
    dag = dags[dag_id]
    assert dag.doc_md
    assert dag.doc_md.strip().startswith("###")
    assert "jouleboard" in dag.tags
    assert dag.owner == "jouleboard"
    assert not dag.catchup


def test_every_dag_has_a_deadline(reading: dict[str, Any]) -> None:
    measuring = {dag_id: [24.0] for dag_id in MEASURING}
    others = {"watch_releases": [1.0], "propose_model": [1.0], "weekly_digest": [1.0]}
    others |= {"contest_change": [1.0], "set_objective": [1.0]}
    builders = {"refresh_leaderboard": [3.0], "import_published_results": [3.0], "import_contribution": [3.0]}
    others |= {"housekeeping": [7.0]}
    assert reading["deadlines"] == measuring | others | builders


def test_without_a_gpu_one_measurement_at_a_time(dags: dict[str, Any]) -> None:
    measuring = [task for task in dags["benchmark_release"].tasks if task.task_id.startswith("measure_")]
    assert [(task.task_id, task.pool, task.queue) for task in measuring] == [
        ("measure_on_cpu", "cpu", "default")
    ]


@pytest.mark.parametrize("dag_id", MEASURING)
def test_whoever_measures_takes_as_many_slots_as_gpus_of_their_kind(
    fleet: dict[str, Any], dag_id: str
) -> None:
    tasks = [task for task in fleet[dag_id].tasks if task.task_id.startswith("measure_")]
    in_turns = {
        (f"measure_canaries_{which}_on_1x_{gpu}", f"gpu-{gpu}", 1, f"gpu-{gpu}")
        for which in ("in_turns", "again")
        for gpu in ("h200", "b200")
        if dag_id == "benchmark_release"
    }
    assert {(task.task_id, task.pool, task.pool_slots, task.queue) for task in tasks} == in_turns | {
        ("measure_on_cpu", "cpu", 1, "default"),
        ("measure_canaries_on_1x_h200", "gpu-h200", 1, "gpu-h200"),
        ("measure_on_1x_h200", "gpu-h200", 1, "gpu-h200"),
        ("measure_on_2x_h200", "gpu-h200", 2, "gpu-h200"),
        ("measure_on_4x_h200", "gpu-h200", 4, "gpu-h200"),
        ("measure_canaries_on_1x_b200", "gpu-b200", 1, "gpu-b200"),
        ("measure_on_1x_b200", "gpu-b200", 1, "gpu-b200"),
        ("measure_on_2x_b200", "gpu-b200", 2, "gpu-b200"),
        ("measure_on_4x_b200", "gpu-b200", 4, "gpu-b200"),
        ("measure_on_8x_b200", "gpu-b200", 8, "gpu-b200"),
    }


def test_canaries_come_before_every_other_measurement(fleet: dict[str, Any]) -> None:
    from airflow.models.taskinstance import TaskInstance

    weights = {
        task.task_id: task.weight_rule.get_weight(
            TaskInstance(task, run_id="r", map_index=0, dag_version_id=None)
        )
        for task in _as_the_scheduler_has_it(fleet["benchmark_release"]).tasks
        if task.task_id.startswith("measure_")
    }
    canaries = {weights.pop(name) for name in list(weights) if "canaries" in name}
    assert min(canaries) > max(weights.values())


def _as_the_scheduler_has_it(dag: Any) -> Any:
    from airflow.serialization.serialized_objects import DagSerialization

    return DagSerialization.from_dict(DagSerialization.to_dict(dag))


def test_owners_lead_to_the_leaderboard(dags: dict[str, Any]) -> None:
    for dag_id in (*MEASURING, "refresh_leaderboard", "import_published_results"):
        assert dags[dag_id].owner_links["jouleboard"].endswith("/plugin/leaderboard")


def test_the_form_offers_the_catalog_and_the_vocabulary(dags: dict[str, Any]) -> None:
    from benchmark_tasks.catalog import load
    from benchmark_tasks.vocabulary import Task

    catalog, params = load(), dags["benchmark_on_demand"].params
    assert params.get_param("model").schema["enum"] == list(catalog.models)
    assert params.get_param("task").schema["enum"] == [task.value for task in Task]
    assert params.get_param("gpu_model").schema["enum"] == ["none", *catalog.gpus]
    assert set(params) >= {"batch_sizes", "version", "repeats", "force", "note"}


def test_only_one_builder_at_a_time(dags: dict[str, Any]) -> None:
    assert dags["refresh_leaderboard"].get_task("refresh").pool == "duckdb_writer"


def test_whoever_measures_retries_by_policy(dags: dict[str, Any]) -> None:
    from jouleboard_airflow.failures import RETRIES

    measuring = dags["benchmark_release"].get_task("measure_on_cpu")
    assert measuring.retries == RETRIES["retries"]
    assert measuring.partial_kwargs["retry_policy"] is RETRIES["retry_policy"]
