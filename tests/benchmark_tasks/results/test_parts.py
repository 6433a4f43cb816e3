"""What is recomputed of a window's parts is what was recorded, where that was."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark_tasks.results import bundle
from benchmark_tasks.results.schema import Window
from benchmark_tasks.results.summary import within_run_interval
from benchmark_tasks.vocabulary import Task
from benchmarks.parts import parts_of

PICTURES = (0.03, 0.003)
STAND_IN = (0.011, 0.0021)
DESIGNED = (0.025, 0.0043)
EXPERTS = (0.034, 0.0046)
SMALL_MODEL = (0.05, 0.005)
LONG_ANSWERS = (0.14, 0.012)
PRECISIONS = (0.025, 0.0028)
OTHERS = (0.01, 0.0013)
"""Largest error of a part's tokens (share) and of an interval (points / 100) in each kind of runs.

Each is what the recorded runs show, rounded up, so that a change of the calculation is noticed. The error is
that of a sample: the tokens of 24 answers stand for those of all. It is largest with pictures, whose tokens
come in bursts. The runs with stand-in weights came later: three of their windows have larger errors than all
others, by the same calculation. So do loads of one length, whose answers end together, a model so small
that its server waits for its processors (most of all with its longest answers, of which few are in a
sample), a mixture of experts under 5 requests per second, and three windows of 128 and 256 answers at once
in FP8 or of a model that fills the GPU (eight answers of each kept their tokens).
"""

RECORDED = sorted(path.parent for path in (Path(__file__).parents[3] / "recorded_runs").rglob("run.json"))


def text_windows() -> list[tuple[Path, Window, Task]]:
    records = [(folder, bundle.read_record(folder)) for folder in RECORDED]
    return [
        (folder, window, run.configuration.task)
        for folder, run in records
        if run.server and run.client and (window := run.window_steady) and window.sub_windows
    ]


def limits_of(folder: Path, task: Task) -> tuple[float, float]:
    if task is Task.IMAGE_CHAT:
        return PICTURES
    kinds = {
        "stand-in": STAND_IN,
        "larger-between": STAND_IN,
        "precision": PRECISIONS,
        "releases-again": STAND_IN,
        "prices": DESIGNED,
        "smollm2-gsm8k": LONG_ANSWERS,
        "smollm2": SMALL_MODEL,
        "experts-again": EXPERTS,
    }
    return next((limits for name, limits in kinds.items() if f"-{name}" in folder.parent.name), OTHERS)


def test_parts_are_recomputed_as_they_were_recorded_on_gpus() -> None:
    compared = 0
    for folder, window, task in text_windows():
        limits = limits_of(folder, task)
        parts = parts_of(folder, window, len(window.sub_windows))
        for recorded, part in zip(window.sub_windows, parts, strict=False):
            assert part.outputs == pytest.approx(recorded.outputs, rel=limits[0]), folder
            assert part.counter_joules == pytest.approx(recorded.counter_joules, rel=1e-9), folder
        if parts:
            again = within_run_interval(window.model_copy(update={"sub_windows": parts}))
            assert again == pytest.approx(within_run_interval(window), abs=limits[1]), folder
            compared += 1
    assert compared > 30


def test_too_few_known_tokens_are_no_parts() -> None:
    """Over ten minutes there are seconds in which no request was under way that kept its tokens."""
    folder, window, _ = max(text_windows(), key=lambda each: each[1].end_seconds - each[1].start_seconds)
    assert window.end_seconds - window.start_seconds > 500
    assert parts_of(folder, window, len(window.sub_windows)) == ()
