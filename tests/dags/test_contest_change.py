"""A person contests a change by the form: recorded in their name, or refused in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from benchmark_tasks.settings import Settings
from expectations.gate.contests import contests
from jouleboard_airflow.tasks import contesting
from tests.expectations.history.test_changes import ROWS
from tests.expectations.history.test_confirmation import published


@pytest.fixture
def settings(home: Path) -> Settings:
    settings = Settings.from_environment()
    published(settings, ROWS, "one")
    return settings


def form(change: str | None, decision: str, note: str | None) -> dict[str, str | None]:
    return {contesting.CHANGE: change, contesting.DECISION: decision, "note": note}


def test_the_form_contests_and_withdraws_in_the_name_of_who_triggers(
    dags: dict[str, Any], settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    dag = dags["contest_change"]
    assert dag.test(run_conf=form("aa", contesting.CONTEST, "the driver changed, too")).state == "success"
    (entry,) = contests(settings).values()
    assert (entry.leaderboard_id, entry.who) == ("aa-told", "dag_test")
    assert dag.test(run_conf=form("b-waits", contesting.CONTEST, "hot")).state == "failed"
    assert "error: change b-waits was not measured again yet" in caplog.text
    assert contesting.decide(form("aa", contesting.WITHDRAW, None), None).startswith("unknown withdrew")
    assert contests(settings) == {}


def test_an_untouched_form_contests_nothing(dags: dict[str, Any]) -> None:
    untouched = dict(dags["contest_change"].params) | form(None, contesting.CONTEST, None)
    assert contesting.misfits(untouched) == []
    with pytest.raises(AirflowSkipException, match="the form names no change"):
        contesting.decide(untouched, "ada")


@pytest.mark.parametrize(
    ("filled", "field"),
    [
        (form("aa", contesting.CONTEST, " "), "note"),
        (form(None, contesting.CONTEST, "hot"), contesting.CHANGE),
        (form("aa", contesting.CONTEST, "a\x1b[2J"), "note"),
        ({**form("aa", contesting.CONTEST, "hot"), "nota": "hot"}, "'nota'"),
    ],
)
def test_what_is_impossible_in_the_form_is_named(filled: dict[str, str | None], field: str) -> None:
    assert [misfit.field for misfit in contesting.misfits(filled)] == [field]
