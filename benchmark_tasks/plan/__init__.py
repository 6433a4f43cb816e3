"""Every decision on what to measure, for the command and the DAGs.

`release` (what is missing of a release), `canaries` (what of it may wait), `single` (one sweep that a person
asks for), `requests` (what of its requests is chosen), `rates` (of an open loop), `recheck` (a published
configuration again), `versions` (which version), `landed` (which runs count), `sweep` and `procedure` (the
types that a plan is made of), `host_queue` (plans on the GPUs of one host).

The names below are loaded when they are first used, because a measuring process needs only `sweep`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmark_tasks.plan.canaries import (
        CanarySeries,
        Change,
        Comparison,
        Decision,
        canary_series,
        decide,
        in_rotation,
        rotation_campaign,
        spent_in_week,
        split_off_waiting,
        to_measure_again,
        with_a_server_missing,
    )
    from benchmark_tasks.plan.confirmation import confirmation_campaign, in_turns, was_rerun
    from benchmark_tasks.plan.deployment import usual_repeats, usual_weights
    from benchmark_tasks.plan.landed import (
        TurnsLeft,
        is_recheck,
        left_of_turns,
        left_when_tried_again,
        runs_that_count,
        still_missing,
        what_is_missing,
    )
    from benchmark_tasks.plan.prices import designed_sweep
    from benchmark_tasks.plan.rates import at_rates, at_rates_of_policy, read_rate, read_rates
    from benchmark_tasks.plan.recheck import last_rechecks, recheck_campaign, sweep_again
    from benchmark_tasks.plan.release import is_canary, plan_release, plan_release_on, superseded
    from benchmark_tasks.plan.requests import ImpossibleRequests, chosen_requests
    from benchmark_tasks.plan.single import gpus_to_use, plan_single, require_gpu_or_wish, single_sweep
    from benchmark_tasks.plan.sweep import Plan, Sweep, SweepPoint
    from benchmark_tasks.plan.versions import newest_version, version_to_measure, versions_to_measure

_MODULES = {
    "canaries": (
        "CanarySeries",
        "Change",
        "Comparison",
        "Decision",
        "canary_series",
        "decide",
        "in_rotation",
        "rotation_campaign",
        "spent_in_week",
        "split_off_waiting",
        "to_measure_again",
        "with_a_server_missing",
    ),
    "confirmation": ("confirmation_campaign", "in_turns", "was_rerun"),
    "deployment": ("usual_repeats", "usual_weights"),
    "landed": (
        "TurnsLeft",
        "is_recheck",
        "left_of_turns",
        "left_when_tried_again",
        "runs_that_count",
        "still_missing",
        "what_is_missing",
    ),
    "prices": ("designed_sweep",),
    "rates": ("at_rates", "at_rates_of_policy", "read_rate", "read_rates"),
    "recheck": ("last_rechecks", "recheck_campaign", "sweep_again"),
    "release": ("is_canary", "plan_release", "plan_release_on", "superseded"),
    "requests": ("ImpossibleRequests", "chosen_requests"),
    "single": ("gpus_to_use", "plan_single", "require_gpu_or_wish", "single_sweep"),
    "sweep": ("Plan", "Sweep", "SweepPoint"),
    "versions": ("newest_version", "version_to_measure", "versions_to_measure"),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "CanarySeries",
    "Change",
    "Comparison",
    "Decision",
    "ImpossibleRequests",
    "Plan",
    "Sweep",
    "SweepPoint",
    "TurnsLeft",
    "at_rates",
    "at_rates_of_policy",
    "canary_series",
    "chosen_requests",
    "confirmation_campaign",
    "decide",
    "designed_sweep",
    "gpus_to_use",
    "in_rotation",
    "in_turns",
    "is_canary",
    "is_recheck",
    "last_rechecks",
    "left_of_turns",
    "left_when_tried_again",
    "newest_version",
    "plan_release",
    "plan_release_on",
    "plan_single",
    "read_rate",
    "read_rates",
    "recheck_campaign",
    "require_gpu_or_wish",
    "rotation_campaign",
    "runs_that_count",
    "single_sweep",
    "spent_in_week",
    "split_off_waiting",
    "still_missing",
    "superseded",
    "sweep_again",
    "to_measure_again",
    "usual_repeats",
    "usual_weights",
    "version_to_measure",
    "versions_to_measure",
    "was_rerun",
    "what_is_missing",
    "with_a_server_missing",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
