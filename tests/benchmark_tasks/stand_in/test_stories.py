"""Stories of runs of record: what of them is chosen, in which order, and how their bundles are compared."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark_tasks.vocabulary import Architecture, Weights
from benchmarks.stand_in.campaign import EVERYTHING, STORIES, Choice, sweeps_of
from benchmarks.stand_in.report import difference, grouped, parts, windows_of

RECORDED = Path(__file__).parents[3] / "recorded_runs" / "h200-2026-11-28-stand-in"


@pytest.mark.parametrize("story", STORIES)
def test_every_story_can_be_planned_and_is_measured_backwards_on_every_second_gpu(story: str) -> None:
    first = [*sweeps_of(story, 0, "H200", backwards=False)]
    second = [*sweeps_of(story, 1, "H200", backwards=True)]
    assert len(first) == len(STORIES[story])
    assert [str(sweep.campaign_id)[-1] for sweep in second] == [
        str(sweep.campaign_id)[-1] for sweep in first
    ][::-1]
    for there, back in zip(first, second[::-1], strict=True):
        assert back.points == there.points[::-1] and back.model_id == there.model_id
    for sweep in first:
        language = sweep.task.architecture is not Architecture.DIFFUSION
        assert (sweep.procedure is not None) == (language and sweep.num_gpus > 0)


def test_a_part_of_a_story_keeps_its_campaign() -> None:
    whole = [
        sweep.campaign_id for sweep in sweeps_of("qwen3-8b", 0, "H200", backwards=False, choice=EVERYTHING)
    ]
    choice = Choice(parts=(0, 1), batch_sizes=(8,), repeats=1)
    [only] = sweeps_of("qwen3-8b", 0, "H200", backwards=False, choice=choice)
    assert only.campaign_id == whole[1] and only.weights is Weights.STAND_IN
    assert [(point.batch_size, point.repeats) for point in only.points] == [(8, 1)]


def test_parts_and_sizes_are_measured_in_the_order_that_was_chosen() -> None:
    choice = Choice(parts=(5, 1), batch_sizes=(256, 64))
    sweeps = [*sweeps_of("releases", 0, "H200", backwards=False, choice=choice)]
    assert [sweep.runtime_version for sweep in sweeps] == ["0.24.0", "0.20.2"]
    assert [[point.batch_size for point in sweep.points] for sweep in sweeps] == [[256, 64]] * 2


def test_bundles_are_compared_by_their_rates_as_their_windows_differ_in_length() -> None:
    groups = grouped(window for window in windows_of(RECORDED) if " Qwen/Qwen3-14B " in window["run"])
    [kinds] = [kinds for (_, batch, _), kinds in groups.items() if batch == 64]
    ours, theirs = kinds["dummy"], kinds["stand-in.1"]
    assert ours[0]["part_seconds"] < 0.9 * theirs[0]["part_seconds"]
    change = difference(parts(ours, per_token=False), parts(theirs, per_token=False))
    assert change.share == pytest.approx(
        ours[0]["tokens_per_second"] / theirs[0]["tokens_per_second"] - 1, abs=1e-4
    )
