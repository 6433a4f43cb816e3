"""What `set_objective` does: the same as `jouleboard objectives set` and `remove`.

Imported by DAG files, so everything heavy is imported inside the functions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from benchmark_tasks.errors import CatalogError, one_line
from benchmark_tasks.settings import Settings
from jouleboard_airflow.tasks import choices
from jouleboard_airflow.tasks.choices import Misfit

if TYPE_CHECKING:
    from benchmark_tasks.catalog.objectives import Objective

OBJECTIVE = "objective"
SET, REMOVE = "set", "remove"
"""The decisions of the form."""


def misfits(params: Mapping[str, Any]) -> list[Misfit]:
    """The impossible fields of the form."""
    found = choices.texts(params, choices.OBJECTIVE)
    name = (params.get(OBJECTIVE) or "").strip()
    ceilings = [field for field in ("ttft_ms", "itl_ms") if params.get(field) is not None]
    if not name and (ceilings or params.get("note")):
        found.append(Misfit(OBJECTIVE, "no objective is named", "write its name"))
    if found or not name or params.get("decision") == REMOVE:
        return found
    try:
        _objective(params, "form")
    except CatalogError as error:
        found.append(Misfit(OBJECTIVE, one_line(error), "change the field that is named"))
    return found


def decide(params: Mapping[str, Any], who: str | None) -> str:
    """Set or remove the objective; returns what was done in one line.

    who: name of the person who triggered the run.

    Raises:
        AirflowSkipException: the form names no objective.
        CatalogError: the objective cannot be so, or there is none to remove.
        DiskFull: nothing was changed.
    """
    from benchmark_tasks.catalog import load, own_objectives

    name = (params[OBJECTIVE] or "").strip()
    if not name:
        raise AirflowSkipException("nothing to set: the form names no objective")
    overlay = Settings.from_environment().catalog
    if params["decision"] == REMOVE:
        own_objectives.remove(name, overlay, load(overlay=overlay).objectives)
        return f"{who or 'unknown'} removed the objective {name}"
    own_objectives.keep(_objective(params, who or "unknown"), overlay)
    return f"{who or 'unknown'} set the objective {name}"


def _objective(params: Mapping[str, Any], who: str) -> Objective:
    from benchmark_tasks.catalog import own_objectives

    ttft_ms, itl_ms = params.get("ttft_ms"), params.get("itl_ms")
    return own_objectives.objective_of(
        params[OBJECTIVE].strip(),
        ttft_percentile=None if ttft_ms is None else params.get("ttft_percentile"),
        ttft_ceiling_ms=ttft_ms,
        itl_percentile=None if itl_ms is None else params.get("itl_percentile"),
        itl_ceiling_ms=itl_ms,
        source=(params.get("note") or "").strip() or f"set by {who}",
    )
