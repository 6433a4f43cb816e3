"""What `contest_change` does: the same as `jouleboard changes contest` and `withdraw`.

Imported by DAG files, so everything heavy is imported inside the functions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.sdk.exceptions import AirflowSkipException

from benchmark_tasks.settings import Settings
from jouleboard_airflow.tasks import choices
from jouleboard_airflow.tasks.choices import Misfit

CHANGE = "change"
DECISION = "decision"
CONTEST, WITHDRAW = "contest", "withdraw"
"""The decisions of the form."""


def misfits(params: Mapping[str, Any]) -> list[Misfit]:
    """The impossible fields of the form, as far as no publication need be read."""
    found = choices.texts(params, choices.CONTEST)
    name, note = ((params.get(field) or "").strip() for field in (CHANGE, "note"))
    if note and not name:
        found.append(Misfit(CHANGE, "no change is named", "`jouleboard changes` lists them"))
    if name and not note and params.get(DECISION) == CONTEST:
        found.append(Misfit("note", "a contest needs a reason", "write why"))
    return found


def decide(params: Mapping[str, Any], who: str | None) -> str:
    """Record the decision; returns it in one line.

    who: name of the person who triggered the run.

    Raises:
        AirflowSkipException: the form names no change.
        PublicationError, DiskFull: see `expectations/history/changes.py`.
    """
    from expectations.history import changes

    name = (params[CHANGE] or "").strip()
    if not name:
        raise AirflowSkipException("nothing to contest: the form names no change")
    settings, who = Settings.from_environment(), who or "unknown"
    if params[DECISION] == WITHDRAW:
        entry = changes.withdraw(settings, name, note=params["note"], who=who)
        return f"{entry.who} withdrew the contest of {entry.leaderboard_id}: {entry.note}"
    entry = changes.contest(settings, name, note=params["note"] or "", who=who)
    return f"{entry.who} contested {entry.leaderboard_id}: {entry.note}"
