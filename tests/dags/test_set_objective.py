"""A person sets a latency objective by the form: kept in their name, or refused with the fields' names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from benchmark_tasks.catalog import load
from jouleboard_airflow.tasks import objectives

UNTOUCHED = {
    "objective": None,
    "decision": objectives.SET,
    "ttft_ms": None,
    "ttft_percentile": 99,
    "itl_ms": None,
    "itl_percentile": 99,
    "note": None,
}


def form(**filled: object) -> dict[str, object]:
    return UNTOUCHED | filled


def test_the_form_sets_and_removes(dags: dict[str, Any], home: Path) -> None:
    dag = dags["set_objective"]
    assert dag.test(run_conf=form(objective="fast", ttft_ms=300, ttft_percentile=95)).state == "success"
    kept = load(overlay=home / "catalog").objectives["fast"]
    assert (kept.ttft_percentile, kept.ttft_ceiling_ms, kept.itl_ceiling_ms) == (95, 300.0, None)
    assert kept.source == "set by dag_test"
    removed = objectives.decide(form(objective="fast", decision=objectives.REMOVE), None)
    assert removed == "unknown removed the objective fast"
    assert load(overlay=home / "catalog").objectives == {}
    assert dag.test(run_conf=form(objective="fast", decision=objectives.REMOVE)).state == "failed"


def test_an_untouched_form_sets_nothing(dags: dict[str, Any], home: Path) -> None:
    untouched = dict(dags["set_objective"].params)
    assert untouched == UNTOUCHED and objectives.misfits(untouched) == []
    with pytest.raises(AirflowSkipException, match="the form names no objective"):
        objectives.decide(untouched, "ada")


@pytest.mark.parametrize(
    ("filled", "field"),
    [
        (form(ttft_ms=5), "objective"),
        (form(note="for us"), "objective"),
        (form(objective="fast"), "objective"),
        (form(objective="fast", itl_ms=-1), "objective"),
        (form(objective="fast", itl_ms=5, note="a\x1b[2J"), "note"),
        (form(objective="fast", itl_ms=5, itl=3), "'itl'"),
    ],
)
def test_what_is_impossible_in_the_form_is_named(filled: dict[str, object], field: str) -> None:
    assert [misfit.field for misfit in objectives.misfits(filled)] == [field]
