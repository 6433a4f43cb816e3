"""Points whose joules are a known law: every term must come back as it was put in."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pyarrow as pa

from expectations.laws import Point

SIDES = (512, 768, 1024, 1536)
STEPS = (10, 20, 28, 50)
GRID = tuple(Point(steps, side * side) for side in SIDES for steps in STEPS)
CORNERS = tuple(
    Point(steps, side * side)
    for steps, side in ((10, 512), (50, 512), (10, 1536), (50, 1536), (20, 1024), (28, 768))
)
"""The first six of `recorded_runs/plans/diffusion-knobs.json`."""
VIDEOS = (
    *(Point(10, pixels, frames) for pixels in (399_360, 921_600) for frames in (17, 33, 49, 81)),
    *(Point(20, 399_360, 17), Point(20, 921_600, 33)),
)

FIXED, SCALE, STEPS_EXPONENT, PIXELS_EXPONENT, FRAMES_EXPONENT = 40.0, 9.0, 0.9, 1.2, 1.4


def power(point: Point) -> float:
    return float(
        SCALE
        * point.steps**STEPS_EXPONENT
        * (point.pixels / 1e6) ** PIXELS_EXPONENT
        * point.frames**FRAMES_EXPONENT
    )


def fixed_power(point: Point) -> float:
    return FIXED + power(point)


DECODED, STEP, LINEAR, QUADRATIC = 15.0, 2.0, 8.0, 4.0


def work(point: Point) -> float:
    megapixels = point.pixels / 1e6
    tokens = megapixels * ((point.frames - 1) // 4 + 1)
    return (
        FIXED
        + DECODED * megapixels * point.frames
        + point.steps * (STEP + LINEAR * tokens + QUADRATIC * tokens**2)
    )


def table(
    points: Iterable[Point], joules: Callable[[Point], float], *, family: str = "f", gpu: str | None = "GPU-1"
) -> pa.Table:
    """Rows of `int_generated_points`, as far as the fit reads them."""
    rows: list[dict[str, Any]] = [
        {
            "family_id": family,
            "gpu_uuids": gpu,
            "point_id": f"{family}-{gpu}-{place:02}",
            "inference_steps": point.steps,
            "height": 1,
            "width": point.pixels,
            "num_frames": None if point.frames == 1 else point.frames,
            "energy_per_output_joules": joules(point),
            "run_ids": f"{family}-{gpu}-{place:02}-run",
        }
        for place, point in enumerate(points)
    ]
    return pa.Table.from_pylist(rows)
