"""What is recomputed of a window's parts is what was recorded, where that was."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark_tasks.results import bundle
from benchmark_tasks.results.schema import Window
from benchmark_tasks.results.summary import within_run_interval
from benchmark_tasks.vocabulary import Task
from benchmarks.parts import parts_of

RECORDED = sorted(path.parent for path in (Path(__file__).parents[3] / "recorded_runs").rglob("run.json"))


def text_windows() -> list[tuple[Path, Window, Task]]:
    records = [(folder, bundle.read_record(folder)) for folder in RECORDED]
    return [
        (folder, window, run.configuration.task)
        for folder, run in records
        if run.server and run.client and (window := run.window_steady) and window.sub_windows
    ]


def test_parts_are_recomputed_as_they_were_recorded_on_gpus() -> None:
    compared = 0
    for folder, window, task in text_windows():
        pictures = task is Task.IMAGE_CHAT
        parts = parts_of(folder, window, len(window.sub_windows))
        for recorded, made in zip(window.sub_windows, parts, strict=False):
            assert made.outputs == pytest.approx(recorded.outputs, rel=0.03 if pictures else 0.011), folder
            assert made.counter_joules == pytest.approx(recorded.counter_joules, rel=1e-9), folder
        if parts:
            again = within_run_interval(window.model_copy(update={"sub_windows": parts}))
            limit = 0.003 if pictures else 0.0018
            assert again == pytest.approx(within_run_interval(window), abs=limit), folder
            compared += 1
    assert compared > 30


def test_too_few_known_tokens_are_no_parts() -> None:
    """Over ten minutes there are seconds in which no request was under way that kept its tokens."""
    folder, window, _ = max(text_windows(), key=lambda one: one[1].end_seconds - one[1].start_seconds)
    assert window.end_seconds - window.start_seconds > 500
    assert parts_of(folder, window, len(window.sub_windows)) == ()
