"""Checks of `diffusion_energy_surface`: measured points, whole and within their intervals."""

from __future__ import annotations

from expectations.suites.checks import Severity, Tolerance
from expectations.suites.mart_check import MartCheck, critical

TABLE = "candidate.marts.diffusion_energy_surface"
ROW_NAME_SQL = (
    "concat_ws(' | ', model_id, concat(num_gpus, 'x ', gpu_model), runtime_version,"
    " concat(inference_steps, ' steps'), concat(width, 'x', height), concat(num_frames, ' frames'),"
    " left(point_id, 8))"
)

CHECKS = (
    MartCheck("key_is_unique", Severity.CRITICAL, "a point of a surface appears twice", unique=("point_id",)),
    critical(
        "point_has_its_knobs",
        "a point lacks steps, height or width, or its pixels are not height x width, or a video lacks frames",
        "coalesce(least(inference_steps, height, width) < 1 or pixels <> height::bigint * width"
        " or (output_unit = 'video') <> (num_frames is not null), true)",
    ),
    critical(
        "energy_of_point_is_plausible",
        "the energy of a point is missing, or outside what an image or a video takes",
        "coalesce(energy_per_output_joules, 0)",
        within=Tolerance(0.1, 1e8, "J", "as energy per image and video on the leaderboard"),
    ),
    critical(
        "point_is_within_its_interval",
        "the energy of a point is outside its own interval, or the interval does not say what it is over",
        "energy_per_output_low_joules > energy_per_output_joules"
        " or energy_per_output_high_joules < energy_per_output_joules"
        " or interval_is_over is distinct from case when energy_per_output_low_joules is not null"
        " then if(runs > 1, 'runs', 'window') end",
    ),
    critical(
        "point_names_its_runs",
        "a point counts other runs than it names",
        "coalesce(runs <> len(string_split(run_ids, ', ')), true)",
    ),
)
