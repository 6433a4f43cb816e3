"""Checks of `diffusion_energy_law`: a law is published only with its proof, and is no measured row."""

from __future__ import annotations

from expectations.suites.checks import Severity, Tolerance
from expectations.suites.mart_check import MartCheck, critical

MOST_ERROR, FEWEST_PROOFS = 0.1, 4

_PROOFS = """
(
    select
        law_id,
        count(*) as proofs,
        max(abs(error)) as largest_error,
        median(abs(error)) as median_error
    from candidate.marts.diffusion_law_proof
    where is_within_others
    group by law_id
)
"""
_REACH = """
(
    select
        family_id,
        gpu_uuids,
        min(inference_steps) as least_steps,
        max(inference_steps) as greatest_steps,
        min(pixels) as least_pixels,
        max(pixels) as greatest_pixels,
        min(coalesce(num_frames, 1)) as least_frames,
        max(coalesce(num_frames, 1)) as greatest_frames
    from candidate.marts.diffusion_energy_surface
    group by family_id, gpu_uuids
)
"""
_BEST = """
(
    select family_id, count(distinct law_id) filter (where is_best) as best_laws
    from candidate.marts.diffusion_energy_law
    group by family_id
)
"""
TABLE = f"""
candidate.marts.diffusion_energy_law as laws
left join {_PROOFS} as proofs using (law_id)
left join {_BEST} as best using (family_id)
left join {_REACH} as reach
    on laws.family_id = reach.family_id and laws.gpu_uuids is not distinct from reach.gpu_uuids
"""
ROW_NAME_SQL = (
    "concat_ws(' | ', model_id, concat(num_gpus, 'x ', gpu_model), runtime_version, law, term,"
    " left(term_id, 8))"
)

CHECKS = (
    MartCheck("key_is_unique", Severity.CRITICAL, "a term of a law appears twice", unique=("term_id",)),
    critical(
        "law_is_no_measured_row",
        "a law does not say that it is a model fitted to measurements",
        "basis is distinct from 'a model fitted to measurements'",
    ),
    critical(
        "law_is_proven",
        "a law misses a point that it was fitted without by more than 10 %",
        "coalesce(held_out_largest_error, 1)",
        within=Tolerance(0, MOST_ERROR, "", "docs/diffusion-law.md: what knobs change is ten times as much"),
    ),
    critical(
        "error_beside_law_is_that_of_the_proof",
        "the errors beside a law, or the number of its proofs, are not those of diffusion_law_proof",
        "coalesce(abs(held_out_largest_error - largest_error) > 1e-12"
        " or abs(held_out_median_error - median_error) > 1e-12 or tested_points <> proofs"
        f" or proofs < {FEWEST_PROOFS}, true)",
    ),
    critical(
        "term_is_within_its_interval",
        "a term of a law is missing, outside its own interval, or an energy below 0",
        "coalesce(term_low > term_value or term_high < term_value"
        " or (not ends_with(term, '_exponent') and term_value < 0), true)",
    ),
    critical(
        "law_ends_where_points_end",
        "the range of a law is not that of the points that it was fitted to",
        "coalesce(fewest_steps <> least_steps or most_steps <> greatest_steps "
        " or fewest_pixels <> least_pixels or most_pixels <> greatest_pixels or fewest_frames <> least_frames"
        " or most_frames <> greatest_frames, true)",
    ),
    critical("one_law_is_best", "a family has no best law, or two", "best_laws <> 1"),
)
