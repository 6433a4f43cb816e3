"""Checks of `waiting_costs`: power, energy and time of a start, and of sleep, fit what follows from them."""

from __future__ import annotations

from benchmark_tasks.results.summary import SLEEP_LEVELS
from expectations.suites.checks import Severity, Tolerance
from expectations.suites.mart_check import MartCheck, critical
from expectations.suites.run.power import POWER_OF_A_GPU

TABLE = "candidate.marts.waiting_costs"
ROW_NAME_SQL = (
    "concat_ws(' | ', model_id, concat(num_gpus, 'x ', gpu_model), runtime_version, left(waiting_id, 8))"
)


def _of_level(level: int) -> tuple[MartCheck, ...]:
    """Checks of what sleep took at a level."""
    asleep, sleep_s, sleep_j, wake_s, wake_j, pays = (
        f"{name}_level_{level}"
        for name in (
            *("asleep_watts", "sleep_seconds", "sleep_joules", "wake_seconds", "wake_joules"),
            "sleeping_pays_after_seconds",
        )
    )
    took = f"({sleep_s} + {wake_s})"
    return (
        critical(
            f"sleep_is_whole_and_positive__level_{level}",
            f"something of sleep level {level} is missing, zero or negative",
            f"({asleep} is null) <> ({wake_j} is null) or ({asleep} is null) <> ({sleep_j} is null)"
            f" or least({asleep}, {sleep_s}, {sleep_j}, {wake_s}, {wake_j}) <= 0"
            f" or ({pays} is not null) <> coalesce({asleep} < 0.95 * idle_loaded_watts, false)",
        ),
        critical(
            f"sleeping_pays_once_saved__level_{level}",
            f"sleep level {level} does not pay once as much energy is saved as it took",
            f"{pays} / greatest({took},"
            f" ({sleep_j} + {wake_j} - {asleep} * {took}) / nullif(idle_loaded_watts - {asleep}, 0))",
            within=Tolerance(1 - 1e-9, 1 + 1e-9, "", "one is worked out from the others"),
        ),
    )


CHECKS = (
    MartCheck("key_is_unique", Severity.CRITICAL, "a setup that waits appears twice", unique=("waiting_id",)),
    critical(
        "waiting_energy_needs_a_gpu",
        "a start or idle power without a GPU has energy: an estimate",
        "num_gpus = 0 and coalesce(start_joules, idle_loaded_watts, idle_unloaded_watts,"
        " asleep_watts_level_1, asleep_watts_level_2) is not null",
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
        within=POWER_OF_A_GPU,
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
    *(check for level in SLEEP_LEVELS for check in _of_level(level)),
)
