"""What is asked: prompts of one's own, how answers are graded and kept, sampling."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmark_tasks.vocabulary import Architecture, Task
from jouleboard_airflow.tasks.choices.fields import REQUESTS
from jouleboard_airflow.tasks.choices.misfit import Misfit


def requests_of(params: Mapping[str, Any]) -> dict[str, Any]:
    """What a form chooses of the requests; an empty text is no choice."""
    return {name: params[name] for name in REQUESTS if params.get(name) not in (None, "")}


def impossible_requests(params: Mapping[str, Any], task: Task | None) -> Misfit | None:
    """The first choice that the command would refuse, too (`benchmark_tasks.plan.chosen_requests`)."""
    from benchmark_tasks.plan import ImpossibleRequests, chosen_requests

    chosen = requests_of(params)
    if chosen and task is not None and task.architecture is Architecture.DIFFUSION:
        return Misfit(next(iter(chosen)), f"{task} has no questions and answers", "leave it empty")
    try:
        chosen_requests(**chosen)
    except ImpossibleRequests as error:
        return Misfit(error.field, error.why, "change it, or leave it empty")
    return None
