"""Checks of `diffusion_law_proof`: errors follow from both energies, and these are those of the surface."""

from __future__ import annotations

from expectations.suites.checks import Severity, Tolerance
from expectations.suites.mart_check import MartCheck, critical

TABLE = """
candidate.marts.diffusion_law_proof as proof
left join (
    select point_id, energy_per_output_joules from candidate.marts.diffusion_energy_surface
) using (point_id)
left join (
    select distinct law_id, true as is_published from candidate.marts.diffusion_energy_law
) using (law_id)
"""
ROW_NAME_SQL = (
    "concat_ws(' | ', model_id, concat(num_gpus, 'x ', gpu_model), runtime_version, law,"
    " concat(inference_steps, ' steps'), concat(width, 'x', height), concat(num_frames, ' frames'),"
    " left(proof_id, 8))"
)

CHECKS = (
    MartCheck("key_is_unique", Severity.CRITICAL, "a point proves a law twice", unique=("proof_id",)),
    critical(
        "proof_is_of_a_measured_point",
        "the measured energy of a proof is not that of the surface",
        "coalesce(abs(measured_joules / energy_per_output_joules - 1) > 1e-12, true)",
    ),
    critical(
        "error_follows_from_both_energies",
        "the error of a proof is not the energy by the law over the measured one",
        "(1 + error) * measured_joules / nullif(predicted_joules, 0)",
        within=Tolerance(1 - 1e-9, 1 + 1e-9, "", "one is worked out from the others"),
    ),
    critical(
        "energy_by_a_law_is_positive",
        "the energy by a law is missing, zero or negative",
        "coalesce(predicted_joules <= 0 or fitted_joules <= 0, true)",
    ),
    critical(
        "proven_law_has_its_terms",
        "a law is said to be proven and has no terms, or the other way round",
        "is_proven <> coalesce(is_published, false)",
    ),
)
