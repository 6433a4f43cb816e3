"""What a plan will cost, and whether a person is asked before it is measured.

Imported by DAG files, so everything heavy is imported inside the functions. `Planned`: see `planning.py`.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from typing import Any

from airflow.sdk import Variable

from benchmark_tasks.errors import SettingsError
from benchmark_tasks.settings import Settings
from jouleboard_airflow.tasks.planning import Planned

log = logging.getLogger("airflow.task")

THRESHOLD = "ask_above_gpu_hours"
"""When a person is asked: the form's field, and with `jouleboard_` before it the Airflow variable."""
DEFAULT_THRESHOLD_GPU_HOURS = 48.0


def estimate(sweeps: list[Planned]) -> dict[str, Any]:
    """What the plan will cost, as far as it was measured before: `summary`, GPU-hours, what is unknown."""
    from benchmark_tasks.plan.sweep import Plan
    from expectations.history.estimate import estimate as add_up

    plan = Plan.model_validate({"sweeps": [entry["sweep"] for entry in sweeps]})
    found = add_up(Settings.from_environment(), plan)
    log.info("%s", found)
    return {"summary": str(found), "gpu_hours": found.gpu_hours, "unknown_on_gpus": found.unknown_on_gpus}


def ask_if_expensive(
    estimated: dict[str, Any], sweeps: list[Planned], params: Mapping[str, Any]
) -> dict[str, Any]:
    """The estimate with a `question`, if it is above the threshold, or its GPU time is not known.

    Raises:
        SettingsError: the variable is no number.
    """
    limit = threshold_gpu_hours(params[THRESHOLD])
    hours, unknown = estimated["gpu_hours"], estimated["unknown_on_gpus"]
    if params["approve"]:
        log.info("approved beforehand: %s", params["approve"])
        return estimated
    if hours <= limit and not (unknown and math.isfinite(limit)):
        log.info("%.3g GPU-hours; a person is asked above %g", hours, limit)
        return estimated
    reason = f"{hours:.3g} GPU-hours are above the limit of {limit:g}"
    if hours <= limit:
        reason = f"the GPU time of {unknown} configurations is unknown: they were never measured"
    lines = "\n".join(f"- `{_plain(entry['title'])}`" for entry in sweeps)
    body = (
        f"{estimated['summary']}.\n\nAsked because {reason}.\n\n{lines}\n\n"
        "**Approve** measures this. **Reject**, or no answer in time, measures nothing; "
        "clearing `plan` asks again."
    )
    question = {"subject": f"Measure this? {estimated['summary']}", "body": body}
    return {**estimated, "question": question}


def threshold_gpu_hours(wanted: float | None) -> float:
    """GPU-hours above which a person is asked: the form's, the Airflow variable's, or the default.

    `inf` in the variable: nobody is ever asked, not about what was never measured either.

    Raises:
        SettingsError: the variable is no number.
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


def _plain(text: str) -> str:
    """One line, and nothing that ends the code span it is shown in."""
    return "".join(char if char.isprintable() and char != "`" else "?" for char in text)
