"""What a person asks for by the form: measured, left out when landed, refused in one line when impossible."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from benchmark_tasks.errors import JouleboardError
from benchmark_tasks.testing.package_index import PackageIndex
from tests.dags.commands import LANDS, measure_with, said, states

FORM: dict[str, Any] = {
    "model": "jouleboard/qwen3-tiny",
    "task": "lm-arena-chat",
    "gpu_model": "none",
    "num_gpus": None,
    "batch_sizes": None,
    "version": None,
    "repeats": None,
    "force": False,
    "note": "by hand",
}

TINY = "Qwen 3 Tiny (dummy weights) (jouleboard/qwen3-tiny)"


def sizes(planned: list[dict[str, Any]]) -> dict[int, int]:
    """Repeats by batch size of the only sweep."""
    (entry,) = planned
    return {point["batch_size"]: point["repeats"] for point in entry["sweep"]["points"]}


def test_the_newest_release_is_measured_as_the_form_says(
    dags: dict[str, Any], home: Path, index: PackageIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmark_tasks.results.store import Store
    from jouleboard_airflow.tasks import planning
    from jouleboard_airflow.ui import overview

    measure_with(LANDS, monkeypatch)
    run = dags["benchmark_on_demand"].test(run_conf={**FORM, "batch_sizes": "2, 8", "repeats": 2})
    assert run.state == "success"
    landed = [run for run, _ in Store(home / "raw").listing().runs]
    assert sorted(run.configuration.batch_size for run in landed) == [2, 2, 8, 8]
    assert {run.comparability.runtime_version for run in landed} == {"0.32.0"}
    sweeps = {run.campaign_id or "" for run in landed} | {"a sweep of the command line"}
    seen = overview.runs_of_sweeps(sweeps, ["benchmark_on_demand", "housekeeping"])
    assert seen == {run.run_id: f"benchmark_on_demand/{run.run_id}"}
    assert overview.runs_of_sweeps(sweeps, ["benchmark_release"]) == {}

    with pytest.raises(AirflowSkipException, match="is landed; `force` measures it again"):
        planning.plan_on_demand({**FORM, "batch_sizes": "2 8"}, "again")
    assert sizes(planning.plan_on_demand({**FORM, "batch_sizes": "2,8", "repeats": 3}, "more")) == {
        2: 1,
        8: 1,
    }
    assert sizes(planning.plan_on_demand({**FORM, "batch_sizes": "2", "force": True}, "anew")) == {2: 1}
    assert sizes(planning.plan_on_demand(FORM, "the catalog's")) == {1: 1, 4: 1}
    [entry] = planning.plan_on_demand({**FORM, "rates": "0, 2.5"}, "at rates")
    points = entry["sweep"]["points"]
    assert [(point["batch_size"], point["request_rate"]) for point in points] == [(4, 0.0), (4, 2.5)]
    assert [point["burstiness"] for point in points] == [None, 1.0]
    [entry] = planning.plan_on_demand({**FORM, "rates": "2.5", "burstiness": 0.25}, "in bursts")
    assert entry["sweep"]["points"][0]["burstiness"] == 0.25
    asked = {
        "prompts": "/data/q.csv",
        "answer_form": "choice",
        "choices": 4,
        "keep_answers": 5,
        "temperature": 0,
    }
    for run_id in ("own prompts", "own prompts again"):
        [entry] = planning.plan_on_demand({**FORM, **asked}, run_id)
        sweep = entry["sweep"]
        assert (sweep["request_set"], sweep["length_control"], sweep["kept_answers"]) == (
            "prompts.q",
            "natural",
            5,
        )
        assert sweep["data_set"]["file"] == "/data/q.csv" and sweep["sampling"]["temperature"] == 0
        assert sweep["data_set"]["answer_key"] == {"column": "answer", "form": "choice", "choices": 4}
    with pytest.raises(JouleboardError, match=r"no closed loop of .* measure batch 4 first"):
        planning.plan_on_demand({**FORM, "rates": "50%"}, "a share of nothing")


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        (
            {"task": "gpqa"},
            f"Task: {TINY} is not measured on Problem Solving (gpqa); choose Text Conversation",
        ),
        (
            {"num_gpus": 2},
            'Number of GPUs: 2 contradicts the GPU model "no GPU"; leave it empty, or choose B200',
        ),
        (
            {"gpu_model": "H200"},
            "GPU model: no GPU host of this installation has 'H200', only 1 x B200; choose",
        ),
        ({"gpu_model": "B200", "num_gpus": 2}, "Number of GPUs: a host has 1 B200, not 2; choose 1"),
        (
            {"gpu_model": "B200"},
            f"Batch sizes: the catalog has no batch sizes for {TINY} on 1 x B200; write some",
        ),
        (
            {"batch_sizes": "0"},
            "Batch sizes: '0' has no whole numbers from 1 on; write, for example, 8, 32, 128",
        ),
        (
            {"version": "9.9.9"},
            "Version: vllm has no release 9.9.9 (latest: 0.33.0); choose 0.32.0, or leave it",
        ),
        (
            {"model": "Qwen/Qwen3-8B"},
            "GPU model: the catalog has no batch sizes for Qwen 3 8B (Qwen/Qwen3-8B) on a machine without "
            "a GPU; choose B200 (number of GPUs: 1), or write Batch sizes",
        ),
    ],
)
def test_what_cannot_be_measured_is_refused_in_one_line(
    wrong: dict[str, Any], line: str, home: Path, index: PackageIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jouleboard_airflow.tasks import planning

    monkeypatch.setenv("AIRFLOW__JOULEBOARD__FLEET", "B200:1")
    with pytest.raises(JouleboardError) as caught:
        planning.plan_on_demand({**FORM, **wrong}, "wrong")
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)


def test_the_first_task_fails_with_that_line_and_nothing_else_runs(
    dags: dict[str, Any], home: Path, index: PackageIndex, caplog: pytest.LogCaptureFixture
) -> None:
    run = dags["benchmark_on_demand"].test(run_conf={**FORM, "task": "gpqa"})
    by_task = states(run)
    assert (by_task["plan"], by_task["measure_on_cpu"], by_task["verdict"]) == (
        "failed",
        "upstream_failed",
        "failed",
    )
    line = f"error: Task: {TINY} is not measured on Problem Solving (gpqa); choose Text Conversation (lm-a"
    # The first task says it, and the last one again: a person opens either.
    assert said(caplog).count(line) == 2
