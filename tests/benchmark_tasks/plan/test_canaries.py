"""Canaries of a release: what is measured, what they decide, what waits, and what is in rotation."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from benchmark_tasks.catalog import CanaryPolicy, Catalog, load
from benchmark_tasks.plan import (
    CanarySeries,
    Change,
    Comparison,
    Decision,
    Sweep,
    SweepPoint,
    TurnsLeft,
    canary_series,
    decide,
    in_rotation,
    left_of_turns,
    left_when_tried_again,
    plan_release,
    split_off_waiting,
    to_measure_again,
    with_a_server_missing,
)
from benchmark_tasks.plan.canaries import earlier_releases, spent_in_week
from benchmark_tasks.results.schema import Run
from benchmark_tasks.results.store import Listing
from benchmark_tasks.testing.samples import sample_run
from benchmark_tasks.vocabulary import ModelKind, RunStatus, Weights
from benchmarks.campaign.runs import runs_of

MARGIN = 0.02
RECORDED = Path(__file__).parents[3] / "recorded_runs"
NOTHING = Change(0.0, -0.008, 0.008)
MORE = Change(0.04, 0.03, 0.05)
LESS = Change(-0.04, -0.05, -0.03)
OPEN = Change(0.015, 0.006, 0.024)


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load()


def measured(sweep: Sweep, point: SweepPoint, version: str, *, days_ago: int = 0, **changes: Any) -> Run:
    """A run of a point under a version."""
    run = sample_run(configuration=sweep.configuration(point), batch_size=point.batch_size)
    keys = run.comparability.model_copy(
        update={
            "runtime": sweep.runtime,
            "runtime_version": version,
            "weights": sweep.weights,
            "request_set_id": sweep.request_set,
            "length_control": sweep.length_control,
            "model_revision": sweep.model_revision,
        }
    )
    ended = datetime(2026, 11, 28, tzinfo=UTC) - timedelta(days=days_ago)
    times = {"started_at": ended - timedelta(hours=1), "finished_at": ended}
    return run.model_copy(update={"comparability": keys, **times, **changes})


def sweeps_of(catalog: Catalog, version: str, gpu_model: str = "H100") -> tuple[Sweep, ...]:
    """Everything that the catalog has for one GPU of a model."""
    nothing = Listing((), ())
    planned = plan_release(
        catalog, nothing, runtime="vllm", runtime_version=version, gpu_model=gpu_model, gpus=1, repeats=1
    )
    return planned.sweeps


def everything(catalog: Catalog, version: str, **changes: Any) -> list[Run]:
    """One run of every configuration under a version."""
    return [
        measured(sweep, point, version, **changes)
        for sweep in sweeps_of(catalog, version)
        for point in sweep.points
    ]


@pytest.fixture(scope="module")
def earlier(catalog: Catalog) -> list[Run]:
    """A release under which the whole catalog was measured."""
    return everything(catalog, "0.32.0")


@pytest.fixture(scope="module")
def series(catalog: Catalog, earlier: list[Run]) -> tuple[CanarySeries, ...]:
    """The canaries of the next release."""
    return canary_series(
        catalog, earlier, runtime="vllm", version="0.33.0", gpu_model="H100", campaign_id="c"
    )


def told(series: tuple[CanarySeries, ...], **other: Change | None) -> dict[Comparison, Change]:
    """Every canary unchanged, but for those of some kinds; `None`: no figure."""
    changes = {}
    for comparison in (comparison for each in series for comparison in each.comparisons):
        change = other.get(comparison.kind.value, NOTHING)
        if change is not None:
            changes[comparison] = change
    return changes


def test_one_canary_per_kind_is_measured_in_turns_with_the_last_release(
    series: tuple[CanarySeries, ...],
) -> None:
    assert [each.kind for each in series] == [ModelKind.DENSE, ModelKind.MOE, ModelKind.MULTIMODAL]
    for each in series:
        versions = [sweep.runtime_version for sweep in each.sweeps]
        assert versions == ["0.32.0", "0.33.0", "0.33.0", "0.32.0"]
        assert {sweep.num_gpus for sweep in each.sweeps} == {1}
        assert {sweep.campaign_id for sweep in each.sweeps} == {"c"}


def test_the_release_of_most_figures_is_in_turns_too(catalog: Catalog, earlier: list[Run]) -> None:
    sweep = sweeps_of(catalog, "0.33.0")[0]
    rotated = [measured(sweep, sweep.points[0], "0.33.0")]
    (first, *_) = canary_series(
        catalog, earlier + rotated, runtime="vllm", version="0.34.0", gpu_model="H100"
    )
    versions = [sweep.runtime_version for sweep in first.sweeps]
    assert versions == ["0.32.0", "0.33.0", "0.34.0", "0.34.0", "0.33.0", "0.32.0"]


@pytest.mark.parametrize(
    ("version", "gpu_model", "why"),
    [
        ("0.33.0", "H200", "nothing was measured on this GPU model"),
        ("0.32.0", "H100", "no release is earlier"),
        ("0.33.0", "none", "without a GPU there is no energy"),
    ],
)
def test_without_an_earlier_release_there_are_no_canaries(
    catalog: Catalog, earlier: list[Run], version: str, gpu_model: str, why: str
) -> None:
    assert not canary_series(catalog, earlier, runtime="vllm", version=version, gpu_model=gpu_model), why


def test_runs_that_failed_or_had_options_of_their_own_are_no_earlier_release(catalog: Catalog) -> None:
    sweep = sweeps_of(catalog, "0.31.0")[0]
    runs = [
        measured(sweep, sweep.points[0], "0.31.0", status=RunStatus.FAILED),
        measured(sweep, sweep.points[0], "0.32.0+config.1a2b3c4d"),
        measured(sweep, sweep.points[0], "0." + "9" * 5000),
    ]
    assert earlier_releases(runs, runtime="vllm", gpu_model="H100", before="0.33.0") == ()


def test_without_a_change_everything_with_a_canary_waits(series: tuple[CanarySeries, ...]) -> None:
    (decision,) = decide(series, told(series), MARGIN)
    assert decision.waits == (ModelKind.DENSE, ModelKind.MOE, ModelKind.MULTIMODAL)
    assert "changed nothing within 2.0%" in decision.why
    assert not to_measure_again(series, told(series), MARGIN)


@pytest.mark.parametrize(
    ("kind", "change", "word"),
    [
        ("dense", MORE, "changed"),
        ("dense", LESS, "changed"),
        ("moe", MORE, "changed"),
        ("multimodal", OPEN, "undecided"),
        ("moe", Change(0.0, -0.008, 0.008, contested=True), "undecided"),
        ("dense", Change(0.04, 0.03, 0.05, contested=True), "undecided"),
        ("moe", None, "not compared"),
        ("moe", Change(0.0, None, None), "not compared"),
    ],
    ids=[
        "energy rises",
        "energy falls",
        "one family only",
        "not clear",
        "contested, unchanged",
        "contested, confirmed",
        "failed or does not fit",
        "no interval",
    ],
)
def test_everything_is_measured_unless_every_canary_is_unchanged(
    series: tuple[CanarySeries, ...], kind: str, change: Change | None, word: str
) -> None:
    changes = told(series, **{kind: change})
    (decision,) = decide(series, changes, MARGIN)
    assert decision.waits == ()
    assert word in decision.why
    again = [each.kind.value for each in to_measure_again(series, changes, MARGIN)]
    assert again == ([] if word == "not compared" else [kind])


def test_an_interval_that_contains_nought_is_not_enough(series: tuple[CanarySeries, ...]) -> None:
    wide = Change(0.0, -0.03, 0.03)
    assert decide(series, told(series, dense=wide), MARGIN)[0].waits == ()
    assert decide(series, told(series, dense=wide), 0.04)[0].waits != ()


def test_each_gpu_model_decides_for_itself(catalog: Catalog, series: tuple[CanarySeries, ...]) -> None:
    runs = [measured(sweep, sweep.points[0], "0.32.0") for sweep in sweeps_of(catalog, "0.32.0", "H200")[:1]]
    there = canary_series(catalog, runs, runtime="vllm", version="0.33.0", gpu_model="H200")
    changes = told(series) | told(there, dense=MORE)
    waits = {decision.gpu_model: bool(decision.waits) for decision in decide(series + there, changes, MARGIN)}
    assert waits == {"H100": True, "H200": False}


def test_a_changed_release_is_measured_whole_and_an_unchanged_one_is_not(
    catalog: Catalog, earlier: list[Run], series: tuple[CanarySeries, ...]
) -> None:
    sweeps = sweeps_of(catalog, "0.33.0")
    whole, none_waits = split_off_waiting(
        catalog, sweeps, earlier, decide(series, told(series, moe=MORE), MARGIN)
    )
    assert (whole, none_waits) == (list(sweeps), [])
    now, waiting = split_off_waiting(catalog, sweeps, earlier, decide(series, told(series), MARGIN))
    assert {catalog.model(sweep.model_id).kind for sweep in now} == {ModelKind.HYBRID}
    assert sum(len(sweep.points) for sweep in [*now, *waiting]) == sum(len(sweep.points) for sweep in sweeps)


def test_what_was_never_measured_and_what_has_no_canary_does_not_wait(
    catalog: Catalog, earlier: list[Run]
) -> None:
    sweeps = sweeps_of(catalog, "0.33.0")
    dense_only = [Decision("H100", (ModelKind.DENSE,), "")]
    now, waiting = split_off_waiting(catalog, sweeps, [], dense_only)
    assert (now, waiting) == (list(sweeps), [])
    _, waiting = split_off_waiting(catalog, sweeps, earlier, dense_only)
    assert {catalog.model(sweep.model_id).kind for sweep in waiting} == {ModelKind.DENSE}


def test_a_catalog_without_a_model_of_a_kind_has_the_other_canaries(
    catalog: Catalog, earlier: list[Run]
) -> None:
    kinds = {kind: canaries for kind, canaries in catalog.canaries.kinds.items() if kind != ModelKind.MOE}
    without = catalog.model_copy(update={"canaries": CanaryPolicy(kinds=kinds)})
    series = canary_series(without, earlier, runtime="vllm", version="0.33.0", gpu_model="H100")
    assert [each.kind for each in series] == [ModelKind.DENSE, ModelKind.MULTIMODAL]
    nothing = catalog.model_copy(update={"canaries": CanaryPolicy()})
    assert not canary_series(nothing, earlier, runtime="vllm", version="0.33.0", gpu_model="H100")
    assert decide((), {}, MARGIN) == ()


def test_turns_that_were_cut_short_go_on_where_they_stopped(series: tuple[CanarySeries, ...]) -> None:
    turns = series[1].sweeps
    landed = [measured(sweep, sweep.points[0], sweep.runtime_version) for sweep in turns[:2]]
    assert [sweep.runtime_version for sweep in left_of_turns(turns, landed).sweeps] == ["0.33.0", "0.32.0"]
    assert left_of_turns(turns, landed * 2).sweeps == ()


def on_gpu(run: Run, uuid: str, **changes: Any) -> Run:
    """The same on another GPU."""
    gpus = tuple(gpu.model_copy(update={"uuid": uuid}) for gpu in run.provenance.gpus)
    return run.model_copy(update={"provenance": run.provenance.model_copy(update={"gpus": gpus}), **changes})


def test_turns_count_on_one_gpu_because_releases_are_compared_there(
    series: tuple[CanarySeries, ...],
) -> None:
    turns = series[1].sweeps
    old, new, new_again, old_again = (measured(each, each.points[0], each.runtime_version) for each in turns)
    most = [
        on_gpu(old, "GPU-a"),
        on_gpu(new, "GPU-a"),
        on_gpu(new_again, "GPU-a"),
        on_gpu(old_again, "GPU-b"),
    ]
    left = left_of_turns(turns, most)
    assert [sweep.runtime_version for sweep in left.sweeps] == ["0.32.0"]
    assert left.gpu_uuids == ("GPU-a",)
    assert left_of_turns(turns, most, gpu_uuids=["GPU-b"]).gpu_uuids == ("GPU-b",)
    assert len(left_of_turns(turns, most, gpu_uuids=["GPU-b"]).sweeps) == 3
    assert left_of_turns(turns, most, gpu_uuids=["GPU-c"]) == TurnsLeft(turns, ("GPU-c",), turns)
    assert with_a_server_missing(series, {}, most) == series[1:2]


def test_of_two_gpus_with_as_many_turns_the_one_of_the_last_try_is_gone_on_with(
    series: tuple[CanarySeries, ...],
) -> None:
    turns = series[1].sweeps
    runs = [measured(each, each.points[0], each.runtime_version) for each in turns[:2]]
    last, before = (
        [on_gpu(run, f"GPU-{days}", finished_at=datetime(2026, 11, 28 - days, tzinfo=UTC)) for run in runs]
        for days in (0, 1)
    )
    assert left_of_turns(turns, [*last, *before]).gpu_uuids == ("GPU-0",)
    assert left_of_turns(turns, [*before, *last]).gpu_uuids == ("GPU-0",)
    other = [
        on_gpu(run, "GPU-other", configuration=series[0].sweeps[0].configuration(run_point))
        for run, run_point in zip(last, series[0].sweeps[0].points, strict=False)
    ]
    assert left_of_turns(turns, other) == TurnsLeft(turns, (), turns)


def test_a_later_run_of_something_else_says_nothing_about_the_last_try(
    series: tuple[CanarySeries, ...],
) -> None:
    turns, others = series[1].sweeps, series[0].sweeps
    runs = [measured(each, each.points[0], each.runtime_version) for each in turns[:2]]
    before, last = (
        [on_gpu(run, uuid, finished_at=datetime(2026, 11, day, tzinfo=UTC)) for run in runs]
        for day, uuid in ((26, "GPU-a"), (27, "GPU-b"))
    )
    other = on_gpu(measured(others[0], others[0].points[0], "0.32.0"), "GPU-a")
    assert other.finished_at > last[0].finished_at
    assert left_of_turns(turns, [*before, *last, other]).gpu_uuids == ("GPU-b",)


def test_rounds_that_are_whole_count_on_any_gpu(series: tuple[CanarySeries, ...]) -> None:
    turns = series[1].sweeps
    a_round = [measured(each, each.points[0], each.runtime_version) for each in turns]
    on_a, on_b, on_c = ([on_gpu(run, f"GPU-{gpu}") for run in a_round] for gpu in "abc")
    assert left_of_turns(turns, [*on_a, *on_b], rounds=2) == TurnsLeft(())
    assert left_of_turns(turns, [*on_a, *on_b, *on_c], rounds=2) == TurnsLeft(())
    assert left_of_turns(turns, on_a, rounds=2) == TurnsLeft(turns, (), turns)
    begun = left_of_turns(turns, [*on_a, *on_b[:3]], rounds=2)
    assert begun == TurnsLeft(turns[3:], ("GPU-b",), turns)
    twice = left_of_turns(turns, on_b[:3], rounds=2)
    assert (len(twice.sweeps), twice.gpu_uuids, twice.anew) == (5, ("GPU-b",), (*turns, *turns))
    assert left_of_turns(turns, [*on_a, *on_a[:1]], rounds=2).gpu_uuids == ("GPU-a",)


def test_what_does_not_fit_is_left_on_no_gpu(series: tuple[CanarySeries, ...]) -> None:
    turns = series[1].sweeps
    old, new = (measured(each, each.points[0], each.runtime_version) for each in turns[:2])
    fits_not = on_gpu(new, "GPU-b", status=RunStatus.INFEASIBLE)
    left = left_of_turns(turns, [on_gpu(old, "GPU-a"), fits_not])
    assert [sweep.runtime_version for sweep in left.sweeps] == ["0.32.0"]
    assert left.gpu_uuids == ("GPU-a",)
    assert [sweep.runtime_version for sweep in left.anew] == ["0.32.0", "0.32.0"]
    assert left_when_tried_again(left, [], ["GPU-a"]) == left


def test_of_a_real_release_the_server_that_its_two_gpus_lack_is_planned_where_the_others_ran() -> None:
    """0.26.0, 0.27.1, 0.27.1 on one H200, 0.27.1, 0.26.0 on another: as many as asked for, but not on one."""
    catalog, runs = load(), runs_of(RECORDED)
    own = [run for run in runs if run.campaign_id == "release-0.27.1"]
    others = [run for run in runs if run.started_at < min(run.started_at for run in own)]
    dense, *_ = canary_series(
        catalog,
        others,
        runtime="vllm",
        version="0.27.1",
        gpu_model="H200",
        weights=Weights.STAND_IN,
        campaign_id="release-0.27.1",
    )
    assert [sweep.runtime_version for sweep in dense.sweeps] == ["0.26.0", "0.27.1", "0.27.1", "0.26.0"]
    assert with_a_server_missing([dense], {}, own) == (dense,)
    left = left_of_turns(dense.sweeps, own)
    (sweep,) = left.sweeps
    assert (sweep.runtime_version, [point.batch_size for point in sweep.points]) == ("0.26.0", [64, 256])
    assert [uuid[:8] for uuid in left.gpu_uuids] == ["GPU-619b"]


def test_a_server_is_missing_if_one_of_two_settled_and_not_if_a_release_has_no_figure(
    series: tuple[CanarySeries, ...],
) -> None:
    turns = series[1].sweeps
    old, new, new_again, old_again = (measured(each, each.points[0], each.runtime_version) for each in turns)
    for settled, missing in (
        ([old, new, old_again], series[1:2]),
        ([old, new, new_again, old_again], ()),
        ([old, old_again], ()),
        ([], ()),
    ):
        assert with_a_server_missing(series, {}, settled) == missing
    assert with_a_server_missing(series, told(series), [old, new, old_again]) == ()


def test_the_rotation_takes_what_was_measured_longest_ago(catalog: Catalog) -> None:
    sweep = next(each for each in sweeps_of(catalog, "0.33.0") if len(each.points) > 4)
    runs = [
        measured(sweep, point, "0.32.0", days_ago=days)
        for point, days in zip(sweep.points, (1, 9, 5, 7), strict=False)
    ]
    options: dict[str, Any] = {"cost": lambda sweep, point: 2.0, "budget_gpu_hours": 5.0}
    (chosen,) = in_rotation([sweep], runs, **options)
    assert chosen.points == (sweep.points[1], sweep.points[3])
    assert in_rotation([sweep], runs, **options, spent_gpu_hours=4.0) == []
    (first,) = in_rotation([sweep], runs, cost=lambda sweep, point: 99.0, budget_gpu_hours=5.0)
    assert first.points == (sweep.points[1],)
    assert in_rotation([sweep], runs, cost=lambda sweep, point: None, budget_gpu_hours=5.0) == []


def test_what_a_rotation_spent_is_counted_from_its_runs(catalog: Catalog) -> None:
    sweep = sweeps_of(catalog, "0.33.0")[0]
    now = datetime(2026, 11, 28, tzinfo=UTC)
    runs = [
        measured(sweep, sweep.points[0], "0.33.0", days_ago=days, campaign_id=campaign, phases=())
        for days, campaign in ((1, "rotation__a"), (6, "rotation__b"), (8, "rotation__c"), (1, "release"))
    ]
    assert spent_in_week(runs, "rotation__", gpu_model="H100", now=now) == pytest.approx(2.0)
    assert spent_in_week(runs, "rotation__", gpu_model="H200", now=now) == 0.0
