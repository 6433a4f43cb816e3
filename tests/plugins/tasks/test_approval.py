"""Asking a person: when, in which words, what the answer does.

`dag.test()` cannot answer a question.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException, TaskAwaitingInput

from benchmark_tasks.errors import ApprovalNeeded, GateRefused
from benchmark_tasks.settings import Settings
from expectations import publications
from expectations.gate.approval import digest
from expectations.refresh import RefreshResult
from jouleboard_airflow.tasks import releases
from jouleboard_airflow.tasks.approval import WHY, AskApproval

CHANGES = ("model A: 0.1 -> 0.3 J/token",)
NEEDED = ApprovalNeeded("a person must approve: model A; publication 1 stays current", CHANGES)
PUBLISHED = RefreshResult(True, 2, "published 2", 5, 0, 0)
ANN = {"who": "ann", "why": "kernels changed"}
NOBODY = {"who": None, "why": None}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JOULEBOARD_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def calls(home: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What each refresh was given as approval; without one a person is asked."""
    given: list[Any] = []

    def refresh(settings: Settings, *, note: str | None, approve: Any, say: Any) -> RefreshResult:
        given.append(approve)
        if approve is None:
            raise NEEDED
        return PUBLISHED

    monkeypatch.setattr("expectations.refresh.refresh", refresh)
    monkeypatch.setattr("benchmark_tasks.processes.die_with_parent", lambda signal: None)
    return given


def context(hours: float = 24) -> Any:
    return {"params": {"answer_within_hours": hours}, "task_instance": type("TI", (), {"id": "1"})}


def operator(refreshed: Mapping[str, Any]) -> AskApproval:
    return AskApproval(task_id="ask_a_person", asking=refreshed, params=WHY)


def test_a_person_is_asked_with_the_figures_and_the_answer_publishes_just_that(calls: list[Any]) -> None:
    refreshed = releases.refresh(None, None, "schedule")
    assert refreshed["question"]["subject"] == "Publish this? model A: 0.1 -> 0.3 J/token"
    done = releases.publish_approved(refreshed["question"], ANN, None)
    assert done == PUBLISHED.as_dict()
    assert calls[0] is None
    assert (calls[1].why, calls[1].by, calls[1].changes) == ("kernels changed", "ann", digest(CHANGES))
    assert releases.announce(refreshed, done, ANN) == "published 2"


def test_who_starts_a_run_may_approve_beforehand(calls: list[Any]) -> None:
    assert releases.refresh(None, "known", "ben") == PUBLISHED.as_dict()
    assert (calls[0].why, calls[0].by, calls[0].changes) == ("known", "ben", None)


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (ANN, "rejected by ann (kernels changed): a person must approve: model A; publication 1 stays"),
        (NOBODY, "nobody answered in time: a person must approve: model A"),
    ],
)
def test_a_rejection_ends_the_run_with_its_reason(calls: list[Any], answer: Any, line: str) -> None:
    refreshed = releases.refresh(None, None, None)
    with pytest.raises(GateRefused) as caught:
        releases.announce(refreshed, None, answer)
    assert str(caught.value).startswith(line)
    (event,) = publications.events(Settings.from_environment())
    assert (event["event"], event["by"]) == ("rejected", "ann" if answer is ANN else None)


def test_nothing_changed_is_not_announced() -> None:
    same = RefreshResult(False, 2, "nothing changed", 5, 0, 0).as_dict()
    with pytest.raises(AirflowSkipException, match="nothing changed"):
        releases.announce(same, None, None)


def test_without_a_question_nobody_is_asked() -> None:
    with pytest.raises(AirflowSkipException):
        operator(PUBLISHED.as_dict()).execute(context())


def test_a_question_waits_as_long_as_the_form_says_and_then_counts_as_rejected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put: dict[str, Any] = {}
    monkeypatch.setattr(
        "airflow.providers.standard.operators.hitl.upsert_hitl_detail",
        lambda **question: put.update(question),
    )
    asked = {"question": {"subject": "Publish {{ this }}?", "body": "figures"}}
    with pytest.raises(TaskAwaitingInput) as waiting:
        operator(asked).execute(context(hours=0.5))
    assert waiting.value.timeout == timedelta(minutes=30)
    assert (put["subject"], put["body"], put["defaults"]) == ("Publish {{ this }}?", "figures", ["Reject"])
    assert set(put["params"]) == {"why"}


@pytest.mark.parametrize(
    ("user", "why", "kept"),
    [
        ({"id": "1", "name": "ann"}, "kernels\n changed", ANN),
        ({"id": "1", "name": ""}, None, {"who": "1", "why": None}),
        (None, None, NOBODY),
    ],
)
def test_the_answer_is_kept_also_when_it_is_no(user: Any, why: str | None, kept: dict[str, Any]) -> None:
    pushed: dict[str, Any] = {}
    ti = type("TI", (), {"xcom_push": staticmethod(lambda key, value: pushed.update({key: value}))})
    event = {
        "chosen_options": ["Reject"],
        "params_input": {"why": why},
        "responded_by_user": user,
        "responded_at": datetime.now(UTC),
    }
    context: Any = {"ti": ti}
    operator(PUBLISHED.as_dict()).execute_complete(context, event)
    assert pushed == {"answer": {"approved": False, **kept}}
