"""The synthetic sets have the published answer lengths, within what docs/methodology.md states."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmark_tasks import catalog
from benchmark_tasks.testing.quick import quick_sweep
from benchmark_tasks.vocabulary import Task
from benchmark_tasks.workloads.catalog_sets import request_set_for
from benchmark_tasks.workloads.lengths import evenly, length_at

SAMPLES = 20_000
MEAN_WITHIN = 0.10
MEDIAN_WITHIN = 0.25
LARGEST_CDF_DIFFERENCE = 0.08
"""Kolmogorov distance: no quantile is off by more than 8 percentile points. One log-normal per task."""


def published_cdf(folder: Path, task: Task, grid: np.ndarray) -> tuple[np.ndarray, int]:
    """Answer lengths of a task: models with equal weight, a model's configurations with equal weight."""
    models = []
    for path in sorted((folder / "models").glob(f"*__{task}.json")):
        cdfs = []
        for configuration in json.loads(path.read_text())["configurations"]:
            histogram = configuration["output_length_distribution"]
            counts = np.array(histogram["counts"], dtype=float)
            cdfs.append(np.interp(grid, histogram["bins"], np.insert(np.cumsum(counts), 0, 0) / counts.sum()))
        models.append(np.mean(cdfs, axis=0))
    return np.mean(models, axis=0), len(models)


@pytest.mark.parametrize(
    ("task", "models"),
    [
        (Task.LM_ARENA_CHAT, 18),
        (Task.GPQA, 12),
        (Task.SOURCEGRAPH_FIM, 3),
        (Task.IMAGE_CHAT, 11),
        (Task.VIDEO_CHAT, 6),
    ],
)
def test_answer_lengths_are_the_published_ones(published_v3: Path, task: Task, models: int) -> None:
    lengths = catalog.load().tasks[task].requests.output_tokens
    made = np.array([length_at(lengths, evenly(0, i)[1]) for i in range(SAMPLES)])
    grid = np.arange(0, 33_001)
    published, found = published_cdf(published_v3, task, grid)
    ours = np.searchsorted(np.sort(made), grid, side="right") / SAMPLES
    assert found == models
    assert np.abs(ours - published).max() <= LARGEST_CDF_DIFFERENCE
    assert made.mean() == pytest.approx((1 - published).sum(), rel=MEAN_WITHIN)
    assert np.median(made) == pytest.approx(np.searchsorted(published, 0.5), rel=MEDIAN_WITHIN)


@pytest.mark.parametrize(
    ("task", "model_id", "request_set_id"),
    [
        (Task.LM_ARENA_CHAT, "Qwen/Qwen3-8B", "synthetic-lm-arena-chat-d277e665"),
        (Task.GPQA, "Qwen/Qwen3-8B", "synthetic-gpqa-c7d0759a"),
        (Task.SOURCEGRAPH_FIM, "Qwen/Qwen3-8B", "synthetic-sourcegraph-fim-072cbf01"),
        (Task.IMAGE_CHAT, "Qwen/Qwen3-VL-8B-Instruct", "synthetic-image-chat-498b1f09"),
        (Task.VIDEO_CHAT, "Qwen/Qwen3-VL-8B-Instruct", "synthetic-video-chat-9072c3f9"),
        (Task.AUDIO_CHAT, "Qwen/Qwen3-Omni-30B-A3B-Instruct", "synthetic-audio-chat-bb079c95"),
    ],
)
def test_runs_measured_before_stay_comparable(task: Task, model_id: str, request_set_id: str) -> None:
    """A new id parts new runs from all old ones: it needs a reason and a line in the changelog."""
    entries, wanted = catalog.load(), quick_sweep(task=task, model_id=model_id)
    assert request_set_for(wanted, entries.model(model_id), entries.tasks[task]).request_set_id == (
        request_set_id
    )
