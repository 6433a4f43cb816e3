"""What a plan will cost, and whether a person is asked before it is measured.

`expectations.history.costs` decides; this module reads the form's limit and the Airflow variable.
Imported by DAG files, so everything heavy is imported inside the functions. `Planned`: see `planning.py`.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk import Variable

from benchmark_tasks.errors import SettingsError
from benchmark_tasks.settings import Settings
from jouleboard_airflow.tasks.planning import Planned

if TYPE_CHECKING:
    from expectations.history.costs import Estimate

log = logging.getLogger("airflow.task")

THRESHOLD = "ask_above_gpu_hours"
"""The form's field for the limit; with `jouleboard_` before it the name of the Airflow variable."""
DEFAULT_THRESHOLD_GPU_HOURS = 48.0


def estimate(sweeps: list[Planned]) -> dict[str, Any]:
    """The cost of the plan in one line (`summary`), as far as its configurations were measured before."""
    return {"summary": str(_estimated(sweeps))}


def estimate_and_ask(sweeps: list[Planned], params: Mapping[str, Any]) -> dict[str, Any]:
    """The cost in one line, with a `question` if it is above the limit or GPU time is unknown.

    Raises:
        SettingsError: the Airflow variable is not a number.
    """
    from expectations.history.costs import question, reason_to_ask

    estimated, limit = _estimated(sweeps), threshold_gpu_hours(params[THRESHOLD])
    result: dict[str, Any] = {"summary": str(estimated)}
    if params["approve"]:
        log.info("approved beforehand: %s", params["approve"])
        return result
    reason = reason_to_ask(estimated, limit)
    if reason is None:
        log.info("nobody is asked: a person is asked above %g GPU-hours", limit)
        return result
    subject, body = question(estimated, reason, [entry["title"] for entry in sweeps])
    return {**result, "question": {"subject": subject, "body": body}}


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


def _estimated(sweeps: list[Planned]) -> Estimate:
    from benchmark_tasks.plan.sweep import Plan
    from expectations.history.costs import estimate as estimate_plan

    plan = Plan.model_validate({"sweeps": [entry["sweep"] for entry in sweeps]})
    estimated = estimate_plan(Settings.from_environment(), plan)
    log.info("%s", estimated)
    return estimated
