"""Deciding on a new model in Airflow.

`dag.test()` cannot answer a question: the steps are called.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from benchmark_tasks.catalog import load
from benchmark_tasks.errors import IndexUnreachable
from benchmark_tasks.releases import proposals
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.hub import Model, ModelHub
from jouleboard_airflow.tasks import models, releases
from tests.benchmark_tasks.releases.hub_samples import add_dense

NEW = "Qwen/Qwen3-9B"
PARAMS = {"model_id": NEW, "gpu_model": None, "hub": True}
YES = {"approved": True, "who": "ann", "why": "the successor"}
NO = {"approved": False, "who": "ben", "why": None}
NOBODY = {"approved": False, "who": None, "why": None}


@pytest.fixture
def model(model_hub: ModelHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Model:
    monkeypatch.setenv("JOULEBOARD_HOME", str(tmp_path))
    return add_dense(model_hub)


def state() -> tuple[str, str | None]:
    proposal = proposals.find(NEW, Settings.from_environment())
    return proposal.state.value, proposal.decision.by if proposal.decision else None


def test_a_person_says_yes(model: Model) -> None:
    proposed = models.propose(PARAMS)
    assert proposed["question"]["subject"] == f"Measure this new model? {NEW}"
    for _ in range(2):  # a task that is tried again does it once
        [trigger] = models.accept(proposed, YES, None)
    assert trigger["trigger_run_id"] == f"model__Qwen~Qwen3-9B__{model.revision[:12]}"
    assert trigger["conf"]["models"] == [NEW]
    assert state() == ("accepted", "ann")
    assert models.settle(proposed, YES) == f"{NEW} accepted by ann"
    assert models.revisions_to_benchmark(PARAMS) == [trigger]
    assert load(overlay=Settings.from_environment().catalog).model(NEW).revision == model.revision


def test_without_a_name_the_first_new_model_is_proposed(model: Model) -> None:
    assert models.propose(PARAMS | {"model_id": None})["model_id"] == NEW
    proposals.reject(NEW, Settings.from_environment(), by="ben", why=None)
    with pytest.raises(AirflowSkipException, match="the watch finds no new one: write a model's id"):
        models.propose(PARAMS | {"model_id": None})


def test_a_person_says_no(model: Model) -> None:
    proposed = models.propose(PARAMS)
    assert models.settle(proposed, NO) == f"{NEW} rejected by ben"
    assert state() == ("rejected", "ben")
    assert models.models_to_propose(PARAMS) == []
    with pytest.raises(AirflowSkipException, match="was rejected by ben"):
        models.propose(PARAMS)


def test_nobody_says_anything(model: Model) -> None:
    proposed = models.propose(PARAMS)
    with pytest.raises(AirflowSkipException, match="stays proposed"):
        models.settle(proposed, NOBODY)
    assert state() == ("proposed", None)
    assert [one["trigger_run_id"] for one in models.models_to_propose(PARAMS)] == ["propose__Qwen~Qwen3-9B"]


def test_what_was_accepted_on_the_command_line_is_not_asked_about(model: Model) -> None:
    models.propose(PARAMS)
    proposals.accept(NEW, Settings.from_environment(), by="root")
    proposed = models.propose(PARAMS)
    assert "question" not in proposed
    assert len(models.accept(proposed, None, None)) == 1
    assert state() == ("accepted", "root")


def test_a_no_comes_too_late_for_what_was_accepted_meanwhile(model: Model) -> None:
    proposed: dict[str, Any] = models.propose(PARAMS)
    proposals.accept(NEW, Settings.from_environment(), by="root")
    assert models.settle(proposed, NO) == f"{NEW} accepted by root"


def test_a_run_id_is_one_that_airflow_takes() -> None:
    import re

    for model_id in (NEW, "a/b__c", "a__b/c", "x" * 40 + "/" + "y" * 55):
        for run_id in (models.propose_run_id(model_id), models.benchmark_run_id(model_id, "0" * 40)):
            assert re.fullmatch(r"[A-Za-z0-9_.~:+-]{1,250}", run_id)
    for version in ("0.33.0", "1!0.1.0", "1!0.1.0rc1.post2.dev3+cu128.x"):
        assert re.fullmatch(r"[A-Za-z0-9_.~:+-]{1,250}", releases.release_run_id("vllm", version))
    assert releases.release_run_id("vllm", "1!0.1.0") == "release__vllm__1~0.1.0"
    assert models.propose_run_id("a/b__c") != models.propose_run_id("a__b/c")


@pytest.fixture
def no_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """An installation with no way to the public hub, which it does not name otherwise."""
    monkeypatch.setenv("JOULEBOARD_HOME", str(tmp_path))
    for name in ("HF_ENDPOINT", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("benchmark_tasks.releases.hub.PUBLIC_HUB", "http://127.0.0.1:9")
    return Settings.from_environment()


FINDS = (models.models_to_propose, models.revisions_to_benchmark)


def test_a_public_hub_that_never_answered_is_not_watched(no_hub: Settings) -> None:
    for find in (*FINDS, lambda params: models.propose(params | {"model_id": None})):
        with pytest.raises(AirflowSkipException, match="has never answered this installation"):
            find({"hub": True, "gpu_model": None})


@pytest.mark.parametrize("how", ["named", "answered"])
def test_a_hub_that_should_answer_fails_the_task(
    no_hub: Settings, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if how == "named":
        monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    else:
        (no_hub.catalog / "revisions").mkdir(parents=True)
    for find in FINDS:
        with pytest.raises(IndexUnreachable):
            find({"hub": True, "gpu_model": None})
