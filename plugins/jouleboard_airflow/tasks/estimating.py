"""What a plan will cost, and whether a person is asked before it is measured.

`expectations.history.costs` decides; this module reads the form's limit and the Airflow variable.
Imported by DAG files, so everything heavy is imported inside the functions. `Planned`: see `planning.py`.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import Variable

from benchmark_tasks.errors import SettingsError
from benchmark_tasks.settings import Settings
from jouleboard_airflow.tasks.planning import Planned

if TYPE_CHECKING:
    from benchmark_tasks.plan import Sweep
    from expectations.history.costs import Estimate

log = logging.getLogger("airflow.task")

THRESHOLD = "ask_above_gpu_hours"
"""The form's field for the limit; with `jouleboard_` before it the name of the Airflow variable."""
DEFAULT_THRESHOLD_GPU_HOURS = 48.0

CANARIES, COVERS = "canaries", "covers"
"""Keys of the first round: its sweeps, all rounds; and what the question before them covers."""


def estimate(sweeps: list[Planned]) -> dict[str, Any]:
    """The cost of the plan in one line (`summary`), as far as its configurations were measured before."""
    return {"summary": str(_estimated(_sweeps(sweeps)))}


def estimate_and_ask(
    planned: list[Planned],
    params: Mapping[str, Any],
    first: Mapping[str, Any] | None = None,
    *,
    approved: bool = False,
) -> dict[str, Any]:
    """The cost in one line, with a `question` if it is above the limit or GPU time is unknown.

    The canaries of the run count. What a person approved before the canaries is not asked again.

    Args:
        first: the first round of canaries, with what `ask_before_canaries` returned.
        approved: a person was asked then, and approved.

    Raises:
        SettingsError: the Airflow variable is not a number.
    """
    from expectations.history.costs import question

    canaries, sweeps = _canaries(first), _sweeps(planned)
    estimated = _estimated([*canaries, *sweeps])
    result: dict[str, Any] = {"summary": str(estimated)}
    if approved and _keys(sweeps) <= set((first or {}).get(COVERS, ())):
        log.info("approved before the canaries")
        return result
    reason = _reason(estimated, params)
    if reason is None:
        return result
    if canaries:
        reason += " (canaries included)"
    subject, body = question(estimated, reason, [entry["title"] for entry in planned])
    return {**result, "question": {"subject": subject, "body": body}}


def ask_before_canaries(
    canaries: Sequence[Sweep], whole: Sequence[Sweep], params: Mapping[str, Any]
) -> dict[str, Any]:
    """A `question` about canaries and all that may follow, if the canaries alone are a reason to ask.

    Args:
        canaries: every sweep of every round.
        whole: what is missing of the release.

    Returns:
        `canaries` as JSON, so that they count later; with a question also the rows that it `covers`.

    Raises:
        SettingsError: the Airflow variable is not a number.
    """
    from expectations.history.costs import question

    result: dict[str, Any] = {CANARIES: [sweep.model_dump(mode="json") for sweep in canaries]}
    reason = _reason(_estimated(canaries), params) if canaries else None
    if reason is None:
        return result
    subject, body = question(
        _estimated([*canaries, *whole]),
        f"of the canaries: {reason}",
        [sweep.label() for sweep in whole],
        canaries=dict.fromkeys(sweep.label() for sweep in canaries),
        clear="plan_canaries",
    )
    return {**result, "question": {"subject": subject, "body": body}, COVERS: sorted(_keys(whole))}


def _reason(estimated: Estimate, params: Mapping[str, Any]) -> str | None:
    """Why a person is asked; None if nobody is.

    Raises:
        SettingsError: the Airflow variable is not a number.
    """
    from expectations.history.costs import reason_to_ask

    limit = threshold_gpu_hours(params[THRESHOLD])
    if params["approve"]:
        log.info("approved beforehand: %s", params["approve"])
        return None
    reason = reason_to_ask(estimated, limit)
    if reason is None:
        log.info("nobody is asked: a person is asked above %g GPU-hours", limit)
    return reason


def threshold_gpu_hours(wanted: float | None) -> float:
    """GPU-hours above which a person is asked: the form's, the Airflow variable's, or the default.

    With `inf` in the variable nobody is ever asked, also not about GPU time that is unknown.

    Raises:
        SettingsError: the variable is not a number.
    """
    if wanted is not None:
        return float(wanted)
    name = f"jouleboard_{THRESHOLD}"
    text = Variable.get(name, default=None)
    try:
        limit = DEFAULT_THRESHOLD_GPU_HOURS if text is None else float(text)
    except ValueError:
        limit = math.nan
    if math.isnan(limit):
        raise SettingsError(f"the Airflow variable {name} is {text!r}: not a number of GPU-hours")
    return limit


def _estimated(sweeps: Iterable[Sweep]) -> Estimate:
    from benchmark_tasks.plan import Plan
    from expectations.history.costs import estimate as estimate_plan

    estimated = estimate_plan(Settings.from_environment(), Plan(sweeps=tuple(sweeps)))
    log.info("%s", estimated)
    return estimated


def _sweeps(planned: Iterable[Planned]) -> list[Sweep]:
    from benchmark_tasks.plan import Sweep

    return [Sweep.model_validate(entry["sweep"]) for entry in planned]


def _canaries(first: Mapping[str, Any] | None) -> list[Sweep]:
    from benchmark_tasks.plan import Sweep

    return [Sweep.model_validate(sweep) for sweep in (first or {}).get(CANARIES, ())]


def _keys(sweeps: Iterable[Sweep]) -> set[str]:
    """What sweeps measure: one key per configuration and version."""
    return {
        f"{sweep.measured_version} {sweep.configuration(point).configuration_id}"
        for sweep in sweeps
        for point in sweep.points
    }
