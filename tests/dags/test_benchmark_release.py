"""The benchmark, run whole by `dag.test()`; the measuring command is replaced by one that lands samples.

The real command under the real scheduler: `tests/e2e`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from benchmark_tasks.errors import SettingsError
from benchmark_tasks.testing.package_index import PackageIndex
from tests.dags.commands import FAILS, LANDS, measure_with, said, states


def test_a_release_is_planned_measured_and_landed(
    dags: dict[str, Any], home: Path, index: PackageIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmark_tasks.results.store import Store

    measure_with(LANDS, monkeypatch)
    benchmark = dags["benchmark_release"]
    run = benchmark.test(run_conf={"version": "0.32.0"})
    assert run.state == "success"
    by_task = states(run)
    assert by_task["measure_on_cpu"] == "success"
    assert by_task["estimate"] == "success"
    assert by_task["ask_a_person"] == "skipped"
    assert by_task["announce"] == by_task["confirm"] == by_task["verdict"] == "success"
    landed = Store(home / "raw").listing().runs
    assert landed
    assert {one.campaign_id for one, _ in landed} == {run.run_id}
    assert {one.comparability.runtime_version for one, _ in landed} == {"0.32.0"}

    again = benchmark.test(run_conf={"version": "0.32.0"})
    assert again.state == "success"
    assert states(again)["plan"] == "skipped"
    assert states(again)["announce"] == states(again)["confirm"] == "skipped"
    assert len(Store(home / "raw").listing().runs) == len(landed)


def test_a_failed_sweep_makes_the_run_red_and_is_announced(
    dags: dict[str, Any], home: Path, index: PackageIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmark_tasks.errors import INFEASIBLE

    measure_with(FAILS.format(code=INFEASIBLE), monkeypatch)
    run = dags["benchmark_release"].test(run_conf={"version": "0.32.0"})
    assert run.state == "failed"
    by_task = states(run)
    assert by_task["measure_on_cpu"] == "failed"
    assert by_task["announce"] == "success"
    assert by_task["verdict"] == "failed"


def test_a_release_without_a_build_for_this_machine_is_skipped(
    dags: dict[str, Any], home: Path, index: PackageIndex
) -> None:
    run = dags["benchmark_release"].test(run_conf={"version": "0.33.0"})
    assert run.state == "success"
    assert states(run)["plan"] == "skipped"


def test_a_version_that_does_not_exist_fails(dags: dict[str, Any], home: Path, index: PackageIndex) -> None:
    run = dags["benchmark_release"].test(run_conf={"version": "9.9.9"})
    assert run.state == "failed"
    assert states(run)["plan"] == "failed"
    assert states(run)["verdict"] == "failed"


def test_every_gpu_model_of_the_fleet_is_measured_canaries_first(
    b200_dags: dict[str, Any],
    home: Path,
    index: PackageIndex,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from benchmark_tasks.results.store import Store

    measure_with(LANDS, monkeypatch)
    conf = {"version": "0.33.0", "repeats": 1, "approve": "a test"}
    conf |= {"models": ["Qwen/Qwen3-8B", "Qwen/Qwen3-14B"], "tasks": ["lm-arena-chat"]}
    run = b200_dags["benchmark_release"].test(run_conf=conf)
    assert run.state == "success"
    landed = [run.configuration for run, _ in Store(home / "raw").listing().runs]
    assert {(one.model_id, one.gpu_model, one.num_gpus) for one in landed} >= {
        ("Qwen/Qwen3-8B", "B200", 1),
        ("Qwen/Qwen3-14B", "B200", 1),
    }
    names: dict[str, set[str]] = {}
    for instance in run.get_task_instances():
        if instance.map_index >= 0:
            names.setdefault(instance.task_id, set()).add(instance.rendered_map_index)
    assert {name.split(" | ")[0] for name in names["measure_canaries_on_1x_b200"]} == {"Qwen/Qwen3-8B"}
    assert {name.split(" | ")[0] for name in names["measure_on_1x_b200"]} == {"Qwen/Qwen3-14B"}


def test_a_forced_run_that_is_cleared_resumes(
    dags: dict[str, Any], home: Path, index: PackageIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jouleboard_airflow.tasks import planning

    measure_with(LANDS, monkeypatch)
    conf = {"version": "0.32.0", "force": True}
    first = dags["benchmark_release"].test(run_conf=conf)
    again = dags["benchmark_release"].test(run_conf=conf)
    assert states(first)["measure_on_cpu"] == states(again)["measure_on_cpu"] == "success"
    params = dict(dags["benchmark_release"].params) | conf
    with pytest.raises(AirflowSkipException, match="nothing to measure"):
        planning.plan_release(params, again.run_id)


def test_a_sweep_above_the_limit_waits_for_a_person(
    b200_dags: dict[str, Any], home: Path, index: PackageIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jouleboard_airflow.tasks import estimating, planning

    params = dict(b200_dags["benchmark_release"].params)
    params |= {"version": "0.33.0", "models": ["Qwen/Qwen3-8B"], "gpu_model": "B200", "approve": None}
    planned = planning.plan_release(params, "manual")
    asked = estimating.estimate_and_ask(planned, params)
    assert "never measured: cost unknown" in asked["question"]["subject"]
    assert "GPU time of" in asked["question"]["body"]
    assert "Qwen/Qwen3-8B" in asked["question"]["body"]
    monkeypatch.setenv("AIRFLOW_VAR_JOULEBOARD_ASK_ABOVE_GPU_HOURS", "inf")
    assert "question" not in estimating.estimate_and_ask(planned, params)
    known = replace(estimating._estimated(estimating._sweeps(planned)), gpu_hours=5.0, unknown_on_gpus=0)
    monkeypatch.setattr(estimating, "_estimated", lambda planned: known)
    monkeypatch.delenv("AIRFLOW_VAR_JOULEBOARD_ASK_ABOVE_GPU_HOURS")
    assert "question" not in estimating.estimate_and_ask(planned, params)
    monkeypatch.setenv("AIRFLOW_VAR_JOULEBOARD_ASK_ABOVE_GPU_HOURS", "4.5")
    asked = estimating.estimate_and_ask(planned, params)
    assert "5 GPU-hours are above the limit of 4.5" in asked["question"]["body"]
    assert "question" not in estimating.estimate_and_ask(planned, params | {"approve": "known"})
    assert "question" not in estimating.estimate_and_ask(planned, params | {estimating.THRESHOLD: 6})
    monkeypatch.setenv("AIRFLOW_VAR_JOULEBOARD_ASK_ABOVE_GPU_HOURS", "much")
    with pytest.raises(SettingsError, match="is 'much': not a number of GPU-hours"):
        estimating.estimate_and_ask(planned, params)


def test_a_gpu_that_nobody_has_is_said_in_one_line(
    b200_dags: dict[str, Any], home: Path, index: PackageIndex, caplog: pytest.LogCaptureFixture
) -> None:
    run = b200_dags["benchmark_release"].test(run_conf={"version": "0.33.0", "gpu_model": "A100"})
    assert states(run)["plan"] == "failed"
    line = "no GPU host of this installation has 'A100', only 1 x B200; choose B200 or no GPU (none)"
    assert f"error: GPU model: {line}" in said(caplog)
