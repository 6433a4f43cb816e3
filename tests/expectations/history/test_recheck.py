"""Measuring again: what is taken, and what may be said of two sets of figures."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from benchmark_tasks.catalog import load
from benchmark_tasks.results.schema import Run
from benchmark_tasks.results.summary import gpu_uuids
from benchmark_tasks.testing.samples import on_gpus, sample_run
from benchmark_tasks.vocabulary import RunStatus
from expectations.history.recheck import Figure, Measured, Verdict, choose, compare, plan_recheck

DAY = datetime(2026, 11, 1, tzinfo=UTC)


def figure(runs: list[Run], last_measured_at: datetime = DAY) -> Figure:
    """What these runs would be published as."""
    one = runs[0]
    return Figure(
        configuration=one.configuration,
        comparability=one.comparability,
        output_unit="token",
        last_measured_at=last_measured_at,
        runs=[published(run) for run in runs],
    )


def published(run: Run) -> Measured:
    window = run.window_steady
    joules = window.energy.counter_joules / window.output_tokens if window.energy else None
    return Measured(gpus=gpu_uuids(run), throughput=window.output_tokens / 60, energy=joules)


def on_gpu(uuid: str, runs: list[Run]) -> list[Run]:
    return [on_gpus(run, uuid) for run in runs]


def runs_of(speeds: Sequence[float], watts: float = 500.0, **changes: Any) -> list[Run]:
    return [sample_run(tokens_per_second=speed, power_watts=watts, **changes) for speed in speeds]


PUBLISHED = runs_of([3990, 4000, 4010])


@pytest.mark.parametrize(
    ("again", "energy", "speed"),
    [
        (runs_of([3995, 4002, 4004]), Verdict.CONFIRMED, Verdict.CONFIRMED),
        (runs_of([3995, 4002, 4004], watts=700), Verdict.DIFFERS, Verdict.CONFIRMED),
        (runs_of([3000, 4000, 5000]), Verdict.UNCLEAR, Verdict.UNCLEAR),
        (runs_of([2800]), Verdict.DIFFERS, Verdict.DIFFERS),
        ([], Verdict.NOT_MEASURED, Verdict.NOT_MEASURED),
    ],
    ids=["the same", "more power", "scattered", "one run, much slower", "nothing landed"],
)
def test_only_an_interval_outside_the_band_differs(again: list[Run], energy: Verdict, speed: Verdict) -> None:
    found = {one.figure: one.verdict for one in compare([figure(PUBLISHED)], again)}
    assert found == {"tokens/s": speed, "J/token": energy}


SPEEDS = [3995, 4002, 4004]


def test_energy_on_another_gpu_is_no_word_against_the_published_one() -> None:
    before, again = on_gpu("A", PUBLISHED), on_gpu("B", runs_of(SPEEDS, watts=540))
    speed, energy = compare([figure(before)], again)
    assert (speed.verdict, energy.verdict) == (Verdict.CONFIRMED, Verdict.DIFFERS_ELSEWHERE)
    assert energy.change == pytest.approx(0.08, abs=0.001)
    assert energy.reason == "published on A, now on B"
    slower, _ = compare([figure(before)], on_gpu("B", runs_of([2990, 3000, 3010])))
    assert slower.verdict is Verdict.DIFFERS


def test_where_a_gpu_measured_both_only_its_runs_are_compared() -> None:
    before = [*on_gpu("A", PUBLISHED), *on_gpu("B", runs_of(SPEEDS, watts=540))]
    _, energy = compare([figure(before)], on_gpu("B", runs_of(SPEEDS, watts=540)))
    assert (energy.published_runs, energy.verdict) == (3, Verdict.CONFIRMED)
    assert energy.change == pytest.approx(0)
    _, energy = compare([figure(before)], on_gpu("B", runs_of(SPEEDS, watts=600)))
    assert energy.verdict is Verdict.DIFFERS and energy.reason == ""


def test_without_a_counter_only_speed_is_compared() -> None:
    published = runs_of([3990, 4000, 4010], gpu=False)
    (found,) = compare([figure(published)], runs_of([4001, 4003], gpu=False))
    assert (found.figure, found.verdict) == ("tokens/s", Verdict.CONFIRMED)


def test_one_run_on_either_side_says_nothing() -> None:
    (found, *_) = compare([figure(PUBLISHED[:1])], runs_of([4000]))
    assert found.verdict is Verdict.TOO_FEW_REPEATS
    assert str(found).startswith("too few repeats: Qwen/Qwen3-8B | lm-arena-chat | vllm 0.26.0 | 1x H200")


def test_a_failed_run_is_not_compared() -> None:
    failed = [run.model_copy(update={"status": RunStatus.FAILED}) for run in PUBLISHED]
    assert {one.verdict for one in compare([figure(PUBLISHED)], failed)} == {Verdict.NOT_MEASURED}


def test_another_power_limit_is_another_experiment() -> None:
    limited = [
        run.model_copy(
            update={"comparability": run.comparability.model_copy(update={"power_limit_watts": 500.0})}
        )
        for run in PUBLISHED
    ]
    found = compare([figure(PUBLISHED)], limited)
    assert {one.verdict for one in found} == {Verdict.NOT_COMPARABLE}
    assert found[0].reason == "power limit, W was 700.0, is 500.0"


def test_many_figures_ask_for_wider_intervals() -> None:
    again = runs_of([3995, 4002, 4004])
    (alone, *_) = compare([figure(PUBLISHED)], again)
    (among, *_) = compare([figure(PUBLISHED)] * 20, again)
    assert among.change_high - among.change_low > alone.change_high - alone.change_low


def test_what_cannot_be_measured_again_is_left_out_with_a_line() -> None:
    by_hand = runs_of([4000])[0]
    keys = by_hand.comparability.model_copy(update={"runtime_version": "0.26.0+config.deadbeef"})
    figures = [figure(PUBLISHED), figure([by_hand.model_copy(update={"comparability": keys})])]
    lines: list[str] = []
    sweeps = [
        plan_recheck(
            load(),
            [one],
            [],
            gpu_models={"H200"},
            size=1,
            repeats=2,
            campaign_id="recheck__weekly",
            say=lines.append,
        )
        for one in figures
    ]
    ((sweep,), none) = sweeps
    assert (sweep.campaign_id, sweep.points[0].repeats, none) == ("recheck__weekly", 2, [])
    assert lines == [
        f"left out: {figures[1].label}: it was measured by hand, with its own server options, server or load"
    ]


def test_canaries_come_every_time_and_the_others_in_turn() -> None:
    canaries = [figure(runs_of([4000], batch_size=size)) for size in (8, 16)]
    canaries[0] = figure(runs_of([4000], watts=300, batch_size=8))
    others = [
        figure(
            runs_of([4000], model_id="org/other", batch_size=size),
            last_measured_at=DAY + timedelta(days=size),
        )
        for size in range(4)[1:]
    ]
    here: dict[str, Any] = {"canaries": {"Qwen/Qwen3-8B"}, "gpu_models": {"H200"}, "size": 1}
    rechecked: dict[str, datetime] = {}
    taken = []
    for week in range(5):
        canary, other = choose([*canaries, *others], rechecked=rechecked, **here)
        assert canary is canaries[0]  # the batch size with the least energy
        rechecked[other.configuration_id] = DAY + timedelta(days=100 + week)
        taken.append(other.configuration.batch_size)
    assert taken == [16, 1, 2, 3, 16]  # a canary's other batch sizes have their turn, too
    assert choose(others, rechecked={}, **here | {"gpu_models": {"B200"}}) == ()
