"""Canaries of a release, run whole by `dag.test()`: what is measured of it, and what waits for the rotation.

What the canaries say is set here; that marts say it of real runs: `test_a_release_s_story.py`.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from benchmark_tasks.plan import Change, Comparison
from benchmark_tasks.results.store import Store
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.package_index import PackageIndex
from benchmark_tasks.testing.samples import sample_run, write_sample
from benchmark_tasks.vocabulary import ModelKind
from jouleboard_airflow.tasks import canaries, planning
from tests.dags.commands import LANDS, measure_with, states
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
    settings = Settings.from_environment()
    catalog, nothing = planning.installed_catalog(), planning.listing(settings)
    for sweep in planning.release_sweeps(catalog, nothing, form_of(dag, version="0.32.0"), "before"):
        for point in sweep.points:
            keys = {"weights": sweep.weights, "model_revision": sweep.model_revision}
            before = sample_run(runtime_version=sweep.runtime_version).comparability
            run = sample_run(
                configuration=sweep.configuration(point),
                batch_size=point.batch_size,
                comparability=before.model_copy(update=keys | {"length_control": sweep.length_control}),
            )
            Store.of(settings).land_copy(write_sample(home / "measured", run))
    return dag


def form_of(dag: Any, **values: Any) -> dict[str, Any]:
    """The whole form with these values."""
    return dict(dag.params) | FORM | values


def canaries_say(share: float, low: float, high: float, monkeypatch: pytest.MonkeyPatch) -> None:
    from expectations.history import canaries as marts

    told = {Comparison(ModelKind.DENSE, "A100", CANARY, 64, "0.32.0"): Change(share, low, high)}
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
