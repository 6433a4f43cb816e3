"""Canaries of a release, run whole by `dag.test()`: who is asked, what is measured, what waits.

What the canaries say is set here; how marts say it of landed runs: `test_a_release_s_story.py`.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from benchmark_tasks.plan import Change, Comparison, Sweep
from benchmark_tasks.results.store import Store
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.package_index import PackageIndex
from benchmark_tasks.testing.samples import sample_run, write_sample
from benchmark_tasks.vocabulary import ModelKind
from jouleboard_airflow.operators import MeasureSweepOperator
from jouleboard_airflow.tasks import canaries, confirming, estimating, planning
from tests.dags.commands import LANDS, answer, measure_with, said, states
from tests.dags.conftest import dags_with_fleet
from tests.dags.small_catalog import CANARY, OTHER, small_catalog

__all__ = ["small_catalog"]

FORM = {"repeats": 1, "weights": "dummy", "approve": "a test"}
UNCHANGED, HIGHER, UNCLEAR = (0.001, -0.006, 0.008), (0.05, 0.04, 0.06), (0.02, 0.01, 0.03)


@pytest.fixture
def release(
    dags: dict[str, Any],
    home: Path,
    small_catalog: Path,
    index: PackageIndex,
    monkeypatch: pytest.MonkeyPatch,
) -> Any:
    """The DAG of an installation with one A100; release 0.32.0 is measured."""
    measure_with(LANDS, monkeypatch)
    dag = dags_with_fleet("A100:1", monkeypatch)["benchmark_release"]
    measured_before(form_of(dag, version="0.32.0"), home)
    return dag


def measured_before(form: dict[str, Any], home: Path) -> None:
    """Land a run of every configuration of a release."""
    settings = Settings.from_environment()
    catalog, nothing = planning.installed_catalog(), planning.listing(settings)
    for sweep in planning.release_sweeps(catalog, nothing, form, "before"):
        land(sweep, home)


def land(sweep: Sweep, home: Path) -> None:
    """Land a run of every point of a sweep."""
    for point in sweep.points:
        keys = {"weights": sweep.weights, "model_revision": sweep.model_revision}
        before = sample_run(runtime_version=sweep.runtime_version).comparability
        run = sample_run(
            configuration=sweep.configuration(point),
            batch_size=point.batch_size,
            campaign_id=sweep.campaign_id,
            comparability=before.model_copy(update=keys | {"length_control": sweep.length_control}),
        )
        Store.of(Settings.from_environment()).land_copy(write_sample(home / "measured", run))


def form_of(dag: Any, **values: Any) -> dict[str, Any]:
    """The whole form with these values."""
    return dict(dag.params) | FORM | values


def canaries_say(share: float, low: float, high: float, monkeypatch: pytest.MonkeyPatch) -> None:
    told = {Comparison(ModelKind.DENSE, "A100", CANARY, 64, "0.32.0"): Change(share, low, high)}
    marts_say(told, monkeypatch)


def marts_say(told: dict[Comparison, Change], monkeypatch: pytest.MonkeyPatch) -> None:
    from expectations.history import canaries as marts

    monkeypatch.setattr(marts, "canary_changes_now", lambda *_, **__: told)


def landed(campaign: str | None = None) -> Counter[tuple[str, str]]:
    """Number of runs by model and release."""
    runs = [run for run, _ in Store.of(Settings.from_environment()).records().runs]
    return Counter(
        (run.configuration.model_id, run.comparability.runtime_version)
        for run in runs
        if campaign in (None, run.campaign_id)
    )


def test_where_canaries_change_nothing_the_rest_waits_and_no_row_is_relabelled(
    release: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    canaries_say(*UNCHANGED, monkeypatch)
    before = landed()
    run = release.test(run_conf=FORM | {"version": "0.33.0"})
    assert run.state == "success"
    by_task = states(run)
    assert (
        by_task["measure_canaries_in_turns_on_1x_a100"]
        == by_task["announce"]
        == by_task["verdict"]
        == "success"
    )
    assert (
        by_task["measure_canaries_again_on_1x_a100"]
        == by_task["plan"]
        == by_task["measure_on_1x_a100"]
        == "skipped"
    )
    assert landed(run.run_id) == {(CANARY, "0.32.0"): 2, (CANARY, "0.33.0"): 2}
    assert landed() - landed(run.run_id) == before
    assert {key: count for key, count in landed().items() if key[0] == OTHER} == {(OTHER, "0.32.0"): 2}


def test_where_a_canary_changes_it_is_measured_again_and_then_everything(
    release: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    canaries_say(*HIGHER, monkeypatch)
    run = release.test(run_conf=FORM | {"version": "0.33.0"})
    assert run.state == "success"
    by_task = states(run)
    assert by_task["measure_canaries_again_on_1x_a100"] == by_task["measure_on_1x_a100"] == "success"
    assert landed(run.run_id) == {(CANARY, "0.32.0"): 4, (CANARY, "0.33.0"): 4, (OTHER, "0.33.0"): 2}


def test_the_form_replaces_the_policy_for_one_run(release: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    canaries_say(*UNCLEAR, monkeypatch)
    form = form_of(release, version="0.33.0")
    first = canaries.plan_canaries(form, "run")
    assert [entry["lane"] for entry in first["planned"]] == ["measure_canaries_on_1x_a100"]
    assert canaries.plan_canaries_again(first, form, "run")["planned"]
    (decision,) = canaries.decide(first, None, form)
    assert (decision["waits"], "undecided" in decision["why"]) == ((), True)

    wider = form | {canaries.MARGIN: 0.04}
    again = canaries.plan_canaries_again(first, wider, "run")
    assert not again["planned"]
    assert [decision["waits"] for decision in canaries.decide(first, again, wider)] == [(ModelKind.DENSE,)]
    for others in ({canaries.SCOPE: canaries.EVERYTHING}, {"force": True}, {"models": [OTHER]}):
        assert canaries.plan_canaries(form | others, "run") == canaries.NO_CANARIES


def test_a_turn_that_never_settled_is_measured_again(
    release: Any, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marts_say({}, monkeypatch)
    form = form_of(release, version="0.33.0")
    first = canaries.plan_canaries(form, "run")
    (entry,) = first["planned"]
    turns = [Sweep.model_validate(each) for each in (entry["sweep"], *entry["then"])]
    for turn in (turns[0], turns[1], turns[3]):
        land(turn, home)
    (again,) = canaries.plan_canaries_again(first, form, "run")["planned"]
    assert (again["sweep"]["runtime_version"], again["then"]) == ("0.33.0", [])
    own = [run for run in planning.listing(Settings.from_environment()).runs if run[0].campaign_id == "run"]
    ((uuid,),) = {tuple(gpu.uuid for gpu in run.provenance.gpus) for run, _ in own}
    (arguments,) = planning.sweeps_for([again], again["lane"])
    assert arguments["gpu_uuids"] == [uuid]
    assert [Sweep.model_validate(each) for each in arguments["anew"]] == turns
    assert MeasureSweepOperator(task_id="again", **arguments).in_turns
    land(turns[2], home)
    assert not canaries.plan_canaries_again(first, form, "run")["planned"]


def costs_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of the canary cost half a GPU-hour, one of any other configuration 50."""
    from expectations.history import costs

    measured = [run.configuration for run, _ in planning.listing(Settings.from_environment()).runs]
    hours = {each.configuration_id: 0.5 if each.model_id == CANARY else 50.0 for each in measured}
    monkeypatch.setattr(
        costs, "_costs", lambda settings: {key: (cost, cost, None) for key, cost in hours.items()}
    )


def test_no_canary_is_measured_before_the_person_who_is_asked_answers(
    release: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    questions, before = answer("Reject", monkeypatch), landed()
    run = release.test(run_conf=FORM | {"version": "0.33.0", "approve": None})
    assert run.state == "failed"
    ((subject, body),) = questions
    assert subject.startswith("Measure this? 3 configurations, 11 runs; 3 never measured")
    assert "because of the canaries: the GPU time of 1 configuration is unknown" in body
    assert body.index(CANARY) < body.index("as far as these may have changed") < body.index(OTHER)
    assert landed() == before
    assert "error: not measured: rejected by ann (seen)" in said(caplog)
    by_task = states(run)
    assert {by_task[task] for task in by_task if task.startswith("measure")} == {"skipped"}
    assert by_task["plan_canaries_again"] == by_task["decide"] == by_task["plan"] == "skipped"


def test_one_answer_before_the_canaries_covers_the_whole_release(
    release: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    canaries_say(*HIGHER, monkeypatch)
    costs_are_known(monkeypatch)
    questions = answer("Approve", monkeypatch)
    run = release.test(run_conf=FORM | {"version": "0.33.0", "approve": None, estimating.THRESHOLD: 0})
    assert run.state == "success"
    ((_, body),) = questions
    assert "because of the canaries: 4 GPU-hours are above the limit of 0." in body
    assert states(run)["ask_a_person"] == "skipped"
    assert landed(run.run_id) == {(CANARY, "0.32.0"): 4, (CANARY, "0.33.0"): 4, (OTHER, "0.33.0"): 2}


def test_canaries_below_the_limit_go_on_by_themselves_and_count(
    release: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    canaries_say(*HIGHER, monkeypatch)
    costs_are_known(monkeypatch)
    questions = answer("Reject", monkeypatch)
    run = release.test(run_conf=FORM | {"version": "0.33.0", "approve": None, estimating.THRESHOLD: 103})
    assert (states(run)["ask_before_canaries"], run.state) == ("skipped", "failed")
    ((_, body),) = questions
    assert "because 104 GPU-hours are above the limit of 103 (canaries included)." in body
    assert landed(run.run_id) == {(CANARY, "0.32.0"): 4, (CANARY, "0.33.0"): 4}
    assert "error: 2 sweeps measured, the rest not: rejected by ann (seen)" in said(caplog)


def test_what_an_answer_covers_is_not_asked_again_and_nothing_else(
    release: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    costs_are_known(monkeypatch)
    form = form_of(release, version="0.33.0", approve=None) | {estimating.THRESHOLD: 0}
    first, planned = canaries.plan_canaries(form, "run"), planning.plan_release(form, "run")
    assert "question" not in estimating.estimate_and_ask(planned, form, first, approved=True)
    assert "question" in estimating.estimate_and_ask(planned, form, first)
    newer = [entry | {"sweep": entry["sweep"] | {"runtime_version": "0.34.0"}} for entry in planned]
    assert "question" in estimating.estimate_and_ask(newer, form, first, approved=True)
    enough = form | {estimating.THRESHOLD: 105}
    assert "question" not in canaries.plan_canaries(enough, "run")
    assert "question" not in estimating.estimate_and_ask(planned, enough, first)


def test_canaries_that_cost_more_than_the_form_s_share_are_left_out(
    release: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    costs_are_known(monkeypatch)
    form = form_of(release, version="0.33.0")
    assert canaries.plan_canaries(form | {canaries.SHARE: 0.05}, "run")["planned"]
    assert not canaries.plan_canaries(form | {canaries.SHARE: 0.03}, "run")["planned"]
    assert "canaries cost 4 GPU-hours, more than 3% of the 1e+02 of all sweeps" in said(caplog)


def test_the_rotation_measures_within_the_week_s_gpu_hours_what_waits(
    release: Any, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from expectations import publications
    from expectations.history import canaries as marts

    form = {canaries.WEEKLY: None, "gpu_model": "A100", "note": None}
    with pytest.raises(AirflowSkipException, match="nothing is published yet"):
        canaries.plan_rotation(form, "run")
    measured_before(form_of(release, version="0.32.0", weights=None), home)
    monkeypatch.setattr(publications, "current", lambda settings: object())
    monkeypatch.setattr(marts, "unchanged_releases", lambda settings: {("vllm", "A100"): "0.33.0"})
    costs_are_known(monkeypatch)

    def chosen(hours: float | None) -> list[tuple[str, list[int]]]:
        planned = canaries.plan_rotation(form | {canaries.WEEKLY: hours}, "run")
        sweeps = [entry["sweep"] for entry in planned]
        assert {each["runtime_version"] for each in sweeps} == {"0.33.0"}
        assert {each["campaign_id"] for each in sweeps} == {"rotation__run"}
        return [(each["model_id"], [point["batch_size"] for point in each["points"]]) for each in sweeps]

    assert chosen(None) == [(CANARY, [64])]
    assert chosen(152) == [(CANARY, [64]), (OTHER, [32])]
    assert chosen(1000) == [(CANARY, [64]), (OTHER, [32, 64])]
    monkeypatch.setattr(marts, "unchanged_releases", lambda settings: {("vllm", "B200"): "0.33.0"})
    with pytest.raises(AirflowSkipException, match="nothing waits, or this week's GPU-hours are spent"):
        canaries.plan_rotation(form, "run")


def test_a_candidate_is_measured_in_turns_on_one_gpu_and_once(
    release: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Which changes are candidates, and what reruns say of them, is told by marts."""
    from expectations import publications
    from expectations.history import confirmation

    (before,) = [
        run
        for run, _ in planning.listing(Settings.from_environment()).runs
        if run.configuration.model_id == CANARY
    ]
    keys = before.comparability.model_copy(update={"runtime_version": "0.33.0"})
    candidate = confirmation.Candidate(before.configuration, keys, "0.32.0", 0.05)
    monkeypatch.setattr(publications, "current", lambda settings: object())
    monkeypatch.setattr(confirmation, "candidates", lambda settings: (candidate,))
    monkeypatch.setattr(confirmation, "loads_of_several_releases", lambda settings: 2)
    costs_are_known(monkeypatch)
    dag = dags_with_fleet("A100:1", monkeypatch)["confirm_changes"]
    form = {"gpu_model": "A100", "note": None, confirming.BASIS: confirming.PUBLISHED}
    with pytest.raises(AirflowSkipException, match="the week's GPU-hours are spent"):
        confirming.plan_confirmations(form | {confirming.BUDGET: 1.9}, "run")
    run = dag.test(run_conf=form)
    assert run.state == "success"
    assert (states(run)["measure_on_1x_a100"], states(run)["tell"]) == ("success", "skipped")
    assert landed(f"confirm__{run.run_id}") == {(CANARY, "0.32.0"): 2, (CANARY, "0.33.0"): 2}
    with pytest.raises(AirflowSkipException, match="no change waits for reruns"):
        confirming.plan_confirmations(form | {confirming.BUDGET: 100}, "another")
    assert "it was rerun before" in said(caplog)
    assert "left out: 2 loads at a request rate" in said(caplog)
