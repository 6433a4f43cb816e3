"""Checks of `energy_price_proof`: errors follow from both energies, and no load of the fit proves it."""

from __future__ import annotations

from expectations.suites.checks import Severity, Tolerance
from expectations.suites.mart_check import MartCheck, critical

_FITTED = """
(
    select price_list_id, string_split(any_value(run_ids), ', ') as fitted
    from candidate.marts.energy_prices
    group by price_list_id
)
"""
TABLE = f"candidate.marts.energy_price_proof as proof left join {_FITTED} using (price_list_id)"
ROW_NAME_SQL = (
    "concat_ws(' | ', model_id, task, concat(num_gpus, 'x ', gpu_model), concat('batch ', batch_size),"
    " runtime_version, left(proof_id, 8))"
)

CHECKS = (
    MartCheck("key_is_unique", Severity.CRITICAL, "a load proves a price list twice", unique=("proof_id",)),
    critical(
        "proof_has_both_energies",
        "a proof lacks the energy by the prices or the measured one",
        "coalesce(measured_joules <= 0 or predicted_joules <= 0, true)",
    ),
    critical(
        "error_follows_from_energies",
        "the error of a proof is not the energy by the prices over the measured one",
        "(1 + error) * measured_joules / nullif(predicted_joules, 0)",
        within=Tolerance(1 - 1e-9, 1 + 1e-9, "", "one is worked out from the others"),
    ),
    critical(
        "proof_was_not_fitted_to",
        "a load that a price list was fitted to is among its proofs",
        "list_has_any(fitted, string_split(run_ids, ', '))",
    ),
    critical(
        "proven_list_has_its_prices",
        "a list is said to be proven and has no prices, or the other way round",
        "is_proven <> (fitted is not null)",
    ),
)
