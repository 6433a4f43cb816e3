"""Three laws of the energy of one image or video over its steps, pixels and frames, and their fits.

Denoising repeats one pass over the latent tokens, once per step. A pass is linear in the tokens (projections)
and quadratic in them (attention). Before and after it a text encoder reads the prompt and a decoder writes
the pixels, whatever the steps. The laws differ in how much of this they hold:

    power         joules = scale x steps^a x pixels^b x frames^c
    fixed_power   joules = fixed + scale x steps^a x pixels^b x frames^c
    work          joules = fixed + decoded x pixels x frames
                           + steps x (step + linear x tokens + quadratic x tokens^2)

Pixels are megapixels of one frame. Tokens are counted in megapixels of latent frames. Which law is used is
not argued but tried: each is fitted without a point and asked for it (docs/diffusion-law.md).

Residuals are relative, so that each point counts the same, however much it takes.

SciPy is imported where it is used: that takes most of a second, and not every refresh needs it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, assert_never

import numpy as np

FRAMES_PER_LATENT = 4
"""Frames after the first that share a latent one: `temporal_compression_ratio` or `scale_factor_temporal` of
the video autoencoders of Wan 2.1, CogVideoX and HunyuanVideo."""
MEGAPIXEL = 1e6
POINTS_TO_SPARE = 1
"""Every fit, also that without a point, has so many points more than terms, or it would meet each exactly."""

_NEAR = 1e-6
"""Of logarithms: points are whole steps, pixels and frames."""
_STARTS = (0.05, 0.5, 0.95)
"""Of the least energy: where the search for the fixed part begins."""


class NotTold(ValueError):
    """The points do not tell the terms of the law apart."""


class Law(StrEnum):
    """The laws, those with fewer terms first."""

    POWER = "power"
    FIXED_POWER = "fixed_power"
    WORK = "work"


class Term(StrEnum):
    """Terms of the laws, each with its unit in `UNITS`."""

    FIXED = "fixed"
    SCALE = "scale"
    STEPS_EXPONENT = "steps_exponent"
    PIXELS_EXPONENT = "pixels_exponent"
    FRAMES_EXPONENT = "frames_exponent"
    DECODED = "decoded"
    STEP = "step"
    STEP_LINEAR = "step_linear"
    STEP_QUADRATIC = "step_quadratic"


UNITS: Mapping[Term, str] = {
    Term.FIXED: "J",
    Term.SCALE: "J at one step, one megapixel and one frame",
    Term.STEPS_EXPONENT: "1",
    Term.PIXELS_EXPONENT: "1",
    Term.FRAMES_EXPONENT: "1",
    Term.DECODED: "J per megapixel of all frames",
    Term.STEP: "J per step",
    Term.STEP_LINEAR: "J per step and megapixel of latent frames",
    Term.STEP_QUADRATIC: "J per step and squared megapixel of latent frames",
}
EXPONENTS = (Term.STEPS_EXPONENT, Term.PIXELS_EXPONENT, Term.FRAMES_EXPONENT)
_WORK = (Term.FIXED, Term.DECODED, Term.STEP, Term.STEP_LINEAR, Term.STEP_QUADRATIC)


@dataclass(frozen=True)
class Point:
    """One kind of output. pixels: height x width of a frame. frames: 1 for an image."""

    steps: int
    pixels: int
    frames: int = 1

    @property
    def knobs(self) -> tuple[float, float, float]:
        """Steps, megapixels, frames."""
        return float(self.steps), self.pixels / MEGAPIXEL, float(self.frames)

    @property
    def token_megapixels(self) -> float:
        """Megapixels of latent frames; of an image its own."""
        return self.pixels / MEGAPIXEL * ((self.frames - 1) // FRAMES_PER_LATENT + 1)


@dataclass(frozen=True)
class Range:
    """What was measured, each knob by itself. Outside it a law says nothing."""

    steps: tuple[int, int]
    pixels: tuple[int, int]
    frames: tuple[int, int]

    @classmethod
    def of(cls, points: Sequence[Point]) -> Range:
        """The range of these points, which are at least one."""
        values = zip(*((point.steps, point.pixels, point.frames) for point in points), strict=True)
        return cls(*((min(several), max(several)) for several in values))

    @classmethod
    def read(cls, row: Mapping[str, Any]) -> Range:
        """From the columns of a mart."""
        return cls(*((row[f"fewest_{knob}"], row[f"most_{knob}"]) for knob in ("steps", "pixels", "frames")))

    @property
    def columns(self) -> dict[str, int]:
        """As the columns of a mart: the fewest and the most of each knob."""
        ends = {"steps": self.steps, "pixels": self.pixels, "frames": self.frames}
        return {
            f"{end}_{knob}": value
            for knob, values in ends.items()
            for end, value in zip(("fewest", "most"), values, strict=True)
        }

    @property
    def in_words(self) -> str:
        """For people: steps, megapixels and, of a video, frames."""
        megapixels = tuple(f"{pixels / MEGAPIXEL:.3g}" for pixels in self.pixels)
        knobs: list[tuple[tuple[object, ...], str]] = [(self.steps, "steps"), (megapixels, "megapixels")]
        if self.frames != (1, 1):
            knobs.append((self.frames, "frames"))
        parts = [f"{' to '.join(map(str, dict.fromkeys(ends)))} {unit}" for ends, unit in knobs]
        return f"{', '.join(parts[:-1])} and {parts[-1]}"

    def __contains__(self, point: Point) -> bool:
        return all(
            low <= value <= high
            for value, (low, high) in zip(
                (point.steps, point.pixels, point.frames),
                (self.steps, self.pixels, self.frames),
                strict=True,
            )
        )


def encloses(points: Sequence[Point], point: Point) -> bool:
    """Whether a point lies among points: it is a mean of them, each knob by its logarithm.

    Between the least and the most of each knob there are corners where nothing was measured; there a law says
    how knobs act together that it has never seen together.
    """
    from scipy.optimize import nnls

    knobs = np.log([each.knobs for each in points])
    system = np.vstack([(knobs - np.log(point.knobs)).T, np.ones(len(points))])
    _, distance = nnls(system, np.array([0.0, 0.0, 0.0, 1.0]))
    return bool(distance < _NEAR)


@dataclass(frozen=True)
class Fit:
    """A law with its terms. An exponent of a knob that did not vary is not among them."""

    law: Law
    terms: Mapping[Term, float]

    def joules(self, point: Point) -> float:
        """Joules of one image or video by this law. The range is not asked here."""
        if self.law is Law.WORK:
            return float(np.dot(_work_of(point), [self.terms[term] for term in _WORK]))
        powers = (
            value ** self.terms.get(exponent, 0.0)
            for exponent, value in zip(EXPONENTS, point.knobs, strict=True)
        )
        return float(self.terms.get(Term.FIXED, 0.0) + self.terms[Term.SCALE] * math.prod(powers))


def fit(law: Law, points: Sequence[Point], joules: Sequence[float]) -> Fit:
    """Fit a law to measured points, least squares of relative residuals.

    Args:
        points: different ones. joules: of each, per image or video.

    Raises:
        NotTold: too few points, or a term that they do not tell from the others.
    """
    energy = np.asarray(joules, float)
    match law:
        case Law.POWER:
            terms = _power(points, energy)
        case Law.FIXED_POWER:
            terms = _fixed_power(points, energy)
        case Law.WORK:
            terms = _work(points, energy)
        case _:
            assert_never(law)
    return Fit(law, terms)


def terms_of(law: Law, points: Sequence[Point]) -> tuple[Term, ...]:
    """The terms that a law has for these points."""
    if law is Law.WORK:
        return _WORK
    knobs = np.array([point.knobs for point in points])
    varied = [term for term, several in zip(EXPONENTS, knobs.T, strict=True) if len(set(several)) > 1]
    return (*((Term.FIXED,) if law is Law.FIXED_POWER else ()), Term.SCALE, *varied)


def _power(points: Sequence[Point], energy: np.ndarray) -> dict[Term, float]:
    """A plane through the logarithms."""
    (scale, *exponents), names = _plane(points, energy)
    return {Term.SCALE: math.exp(scale), **dict(zip(names, exponents, strict=True))}


def _plane(points: Sequence[Point], energy: np.ndarray) -> tuple[np.ndarray, tuple[Term, ...]]:
    names = tuple(term for term in terms_of(Law.POWER, points) if term in EXPONENTS)
    features = np.column_stack([np.ones(len(points)), _logarithms(points, names)])
    _require_told(features)
    solution: np.ndarray = np.linalg.lstsq(features, np.log(energy), rcond=None)[0]
    return solution, names


def _fixed_power(points: Sequence[Point], energy: np.ndarray) -> dict[Term, float]:
    """The same plane above a fixed part, which is searched between 0 and the least energy."""
    from scipy.optimize import least_squares

    _, names = _plane(points, energy)
    logarithms = _logarithms(points, names)
    if not names:
        raise NotTold("nothing varies")
    least = float(energy.min())

    def residuals(values: np.ndarray) -> np.ndarray:
        by_law = values[0] * least + np.exp(values[1] + logarithms @ values[2:])
        return np.asarray(np.log(by_law / energy))

    found = []
    for share in _STARTS:
        start, _ = _plane(points, energy - share * least)
        bounds = (np.array([0.0, *[-np.inf] * len(start)]), np.array([1.0, *[np.inf] * len(start)]))
        found.append(least_squares(residuals, [share, *start], bounds=bounds, x_scale="jac", xtol=1e-12))
    best = min(found, key=lambda result: result.cost)
    _require_told(np.asarray(best.jac))
    fixed, scale, *exponents = best.x
    return {
        Term.FIXED: float(fixed * least),
        Term.SCALE: math.exp(scale),
        **dict(zip(names, map(float, exponents), strict=True)),
    }


def _work(points: Sequence[Point], energy: np.ndarray) -> dict[Term, float]:
    """No part of the work gives energy back: non-negative least squares."""
    from scipy.optimize import nnls

    features = np.array([_work_of(point) for point in points]) / energy[:, None]
    sizes = features.max(axis=0)
    _require_told(features / sizes)
    solution, _ = nnls(features / sizes, np.ones(len(points)))
    return dict(zip(_WORK, map(float, solution / sizes), strict=True))


def _work_of(point: Point) -> tuple[float, ...]:
    steps, megapixels, frames = point.knobs
    tokens = point.token_megapixels
    return (1.0, megapixels * frames, steps, steps * tokens, steps * tokens**2)


def _logarithms(points: Sequence[Point], names: Sequence[Term]) -> np.ndarray:
    columns = [EXPONENTS.index(name) for name in names]
    logarithms: np.ndarray = np.log([point.knobs for point in points])[:, columns]
    return logarithms


def _require_told(features: np.ndarray) -> None:
    rows, terms = features.shape
    if rows < terms + POINTS_TO_SPARE or np.linalg.matrix_rank(features) < terms:
        raise NotTold(f"{rows} points do not tell {terms} terms")
