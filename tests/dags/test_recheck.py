"""The recheck, run whole by `dag.test()` on a real publication: it compares, and changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.package_index import PackageIndex
from tests.dags.commands import LANDS, measure_with, said, states

PUBLISHED = "select batch_size, repeats, throughput_per_second from leaderboard order by batch_size"
SET_ASIDE = "select count(*) from quarantine where failed_checks like '%not_a_recheck%'"


def test_what_is_published_is_measured_again_compared_and_left_alone(
    dags: dict[str, Any],
    home: Path,
    index: PackageIndex,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    from expectations.publications import query

    settings = Settings.from_environment()
    measure_with(LANDS, monkeypatch)
    release = {"version": "0.32.0", "repeats": 3, "gpu_model": "none"}
    assert dags["benchmark_release"].test(run_conf=release).state == "success"
    assert dags["refresh_leaderboard"].test(run_conf={}).state == "success"
    published = query(settings, PUBLISHED).rows
    assert [row[:2] for row in published] == [(1, 3), (4, 3)]

    monkeypatch.setenv("TOKENS_PER_SECOND", "1501")
    same = dags["recheck"].test(run_conf={"sample": 1})
    assert same.state == "success"
    assert states(same)["measure_on_cpu"] == "success"
    assert said(caplog).count("confirmed: jouleboard/qwen3-tiny | lm-arena-chat | vllm 0.32.0") == 2

    monkeypatch.setenv("TOKENS_PER_SECOND", "1125")
    slower = dags["recheck"].test(run_conf={"sample": 0})  # the canary alone
    assert slower.state == "failed"
    assert (states(slower)["compare"], states(slower)["verdict"]) == ("success", "failed")
    assert "error: 1 of 1 published figures differ: differs: jouleboard/qwen3-tiny" in said(caplog)

    assert dags["refresh_leaderboard"].test(run_conf={}).state == "success"
    assert query(settings, PUBLISHED).rows == published
    assert query(settings, SET_ASIDE).rows == ((9,),)


def test_before_anything_is_published_there_is_nothing_to_do(
    dags: dict[str, Any], home: Path, index: PackageIndex
) -> None:
    run = dags["recheck"].test(run_conf={})
    assert run.state == "success"
    assert set(states(run).values()) == {"skipped"}
