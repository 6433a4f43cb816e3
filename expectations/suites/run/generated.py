"""Images and videos: they show something, and are what the configuration says."""

from __future__ import annotations

import pandas as pd

from expectations.laws.law import FRAMES_PER_LATENT
from expectations.suites.landed_runs import LandedRuns
from expectations.suites.run_check import critical, number

_TRAINED_PIXELS = 1024
"""Width and height that the pipelines of `_SCALING` compute without a change, and their default."""

_SCALING = {"HunyuanDiTPipeline", "PixArtAlphaPipeline", "PixArtSigmaPipeline", "SanaPipeline"}
"""Pipelines of diffusers that compute at a size that they were trained on, unless they are told not to, and
scale the picture to the size that was asked for (`use_resolution_binning`)."""


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

    def scales(model_id: str) -> bool:
        model = runs.catalog.models.get(model_id)
        return model is not None and model.pipeline is not None and model.pipeline.class_name in _SCALING

    usual = (number(runs["width"]) == _TRAINED_PIXELS) & (number(runs["height"]) == _TRAINED_PIXELS)
    scaled = runs.each(scales, "model_id").astype(bool) & ~usual & runs["computed_width"].isna()
    frames = number(runs["num_frames"])
    rounded = frames.notna() & (frames % FRAMES_PER_LATENT != 1) & runs["returned_frames"].isna()
    return runs["completed"] & ~runs["language"] & (scaled | rounded)


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
        "computed_size_is_told",
        "its pipeline may compute another size, or other frames, than it is asked for, and the record does"
        " not say what it did; measure it again",
        _may_be_another,
        releasable=False,
    ),
)
