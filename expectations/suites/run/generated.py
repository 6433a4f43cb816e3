"""Images and videos: they show something, and are what the configuration says."""

from __future__ import annotations

import pandas as pd

from benchmark_tasks.catalog.models import Pipeline
from expectations.laws.law import FRAMES_PER_LATENT
from expectations.suites.landed_runs import LandedRuns
from expectations.suites.run_check import critical, number

_PIXELS_PER_LATENT = {"HunyuanDiT": 8, "PixArt": 8, "Sana": 32}
"""By the beginning of their names, pipelines of diffusers that compute at a size that they were trained on,
unless they are told not to, and scale the picture to the size that was asked for
(`use_resolution_binning`); and how many pixels a side of their transformer's `sample_size` stands for."""

_ROUNDED_TO = {"FluxPipeline": 16}
"""Pipelines of diffusers that round width and height down with no more than a warning."""


def _other_size(runs: LandedRuns) -> pd.Series:
    pairs = ((number(runs[f"computed_{side}"]), number(runs[side])) for side in ("width", "height"))
    wrong = [computed.notna() & (computed != asked) for computed, asked in pairs]
    return wrong[0] | wrong[1]


def _other_frames(runs: LandedRuns) -> pd.Series:
    """An image is one frame."""
    returned = number(runs["returned_frames"])
    return returned.notna() & (returned != number(runs["num_frames"]).fillna(1))


def _as_computed(runs: LandedRuns) -> pd.Series:
    names = ("computed_width", "computed_height", "returned_frames")
    whole = (number(runs[name]).astype("Int64").astype("string") for name in names)
    width, height, frames = (part.fillna("?") for part in whole)
    return width + "x" + height + ", " + frames + " frames"


def _may_be_another(runs: LandedRuns) -> pd.Series:
    """Runs from before the computed size was recorded, where it is not sure to be the configuration's."""

    def pipeline_of(model_id: str) -> Pipeline | None:
        model = runs.catalog.models.get(model_id)
        return None if model is None else model.pipeline

    trained = runs.each(lambda model_id: _trained_pixels(pipeline_of(model_id)), "model_id").astype(float)
    step = runs.each(lambda model_id: _step_of_size(pipeline_of(model_id)), "model_id").astype(float)
    sides = [number(runs[side]) for side in ("width", "height")]
    other = [(trained.notna() & (side != trained)) | (side % step > 0) for side in sides]
    frames = number(runs["num_frames"])
    rounded = frames.notna() & (frames % FRAMES_PER_LATENT != 1) & runs["returned_frames"].isna()
    size = (other[0] | other[1]) & runs["computed_width"].isna()
    return runs["completed"] & ~runs["language"] & (size | rounded)


def _trained_pixels(pipeline: Pipeline | None) -> float | None:
    """Width and height that a pipeline computes as they are; `None`: it computes all as they are."""
    if pipeline is None or pipeline.call.get("use_resolution_binning") is False:
        return None
    for name, pixels in _PIXELS_PER_LATENT.items():
        if pipeline.class_name.startswith(name):
            size = pipeline.components["transformer"].config.get("sample_size")
            return pixels * size if isinstance(size, int) else 0.0
    return None


def _step_of_size(pipeline: Pipeline | None) -> float | None:
    return None if pipeline is None else _ROUNDED_TO.get(pipeline.class_name)


CHECKS = (
    critical(
        "sample_is_a_picture",
        "the sample has a single colour or contains NaN: the run did not generate images or videos",
        lambda runs: runs["sample_blank"],
    ),
    critical(
        "computed_as_configured",
        "images or videos had another size, or other frames, than the configuration says",
        lambda runs: _other_size(runs) | _other_frames(runs),
        observed=_as_computed,
        releasable=False,
    ),
    critical(
        "computed_size_is_recorded",
        "its pipeline may compute another size, or other frames, than it is asked for, and the record does"
        " not say what it did; measure it again with --force",
        _may_be_another,
    ),
)
