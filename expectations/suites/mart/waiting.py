"""Checks of `waiting_costs`: power, energy and time of a start fit each other and what follows from them."""

from __future__ import annotations

from expectations.suites.checks import Severity, Tolerance
from expectations.suites.mart_check import MartCheck, critical

TABLE = "candidate.marts.waiting_costs"
ROW_NAME_SQL = (
    "concat_ws(' | ', model_id, concat(num_gpus, 'x ', gpu_model), runtime_version, left(waiting_id, 8))"
)

CHECKS = (
    MartCheck("key_is_unique", Severity.CRITICAL, "a setup that waits appears twice", unique=("waiting_id",)),
    critical(
        "waiting_energy_needs_a_gpu",
        "a start or idle power without a GPU has energy: an estimate",
        "num_gpus = 0 and (start_joules is not null or idle_loaded_watts is not null"
        " or idle_unloaded_watts is not null)",
    ),
    critical(
        "waiting_power_is_positive",
        "idle power, energy or time of a start is zero or negative",
        "idle_loaded_watts <= 0 or idle_unloaded_watts <= 0 or start_joules <= 0 or start_seconds <= 0",
    ),
    critical(
        "start_power_is_plausible",
        "mean power of a start, per GPU, is outside what a GPU draws",
        "case when servers = energy_starts then start_joules / start_seconds / nullif(num_gpus, 0) end",
        within=Tolerance(10, 2000, "W", "from below any idle GPU to above any limit of power"),
    ),
    critical(
        "releasing_follows_from_start",
        "the time after which releasing pays is not the energy of a start over idle power",
        "releasing_pays_after_seconds * idle_loaded_watts / start_joules",
        within=Tolerance(1 - 1e-9, 1 + 1e-9, "", "one is worked out from the others"),
    ),
    critical(
        "unloading_saves_power",
        "unloading is said to pay though a loaded model draws no more, or before a start ended",
        "unloading_pays_after_seconds is not null and (start_joules is null"
        " or idle_loaded_watts <= idle_unloaded_watts"
        " or (servers = energy_starts and unloading_pays_after_seconds < start_seconds * 0.999))",
    ),
)
