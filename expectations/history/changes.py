"""The changes of energy between releases that people may look at one by one, and contest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmark_tasks.errors import PublicationError
from benchmark_tasks.settings import Settings
from expectations.gate import contests
from expectations.gate.contests import Contest
from expectations.history.release_news import CONTESTED, QUERY, sentence
from expectations.publications import open_publication, require_current
from expectations.sql import rows_of

CANDIDATE = "candidate"
_NOT_RERUN = "not rerun"
_SHOWN = 5


@dataclass(frozen=True)
class Change:
    """A change of energy that is a candidate, or that reruns told.

    id: leaderboard_id of the later release. rerun_result: what reruns alone say. text: the change in one
    line. contest: the objection that counts now, also if no publication shows it yet.
    """

    id: str
    previous_runtime_version: str
    rerun_result: str
    text: str
    contest: Contest | None

    @property
    def state(self) -> str:
        """`candidate`, `confirmed`, `not confirmed` or `contested`."""
        if self.contest:
            return CONTESTED
        return CANDIDATE if self.rerun_result == _NOT_RERUN else self.rerun_result

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        contest = self.contest
        return {
            "change": self.id,
            "previous_runtime_version": self.previous_runtime_version,
            "state": self.state,
            "rerun_result": self.rerun_result,
            "text": self.text,
            "contested_by": contest and contest.who,
            "contested_at": contest and contest.at,
            "contest_note": contest and contest.note,
        }


def changes(settings: Settings) -> list[Change]:
    """The changes of the current publication that are candidates, or that reruns or a person told.

    Raises:
        PublicationError: nothing is published, or the publication has no history of releases.
    """
    item = require_current(settings)
    if "release_history" not in item.rows:
        raise PublicationError(f"publication {item.number} has no history of releases: `jouleboard refresh`")
    with open_publication(item) as connection:
        rows = rows_of(connection, QUERY, condition="energy_change is not null")
    now = contests.contests(settings)
    found = [_change(row, now.get((row["leaderboard_id"], row["previous_runtime_version"]))) for row in rows]
    return [
        change
        for row, change in zip(rows, found, strict=True)
        if row["is_candidate"] or change.rerun_result != _NOT_RERUN or change.contest
    ]


def contest(settings: Settings, name: str, *, note: str, who: str) -> Contest:
    """Contest what reruns say about a change.

    name: its id, or the beginning of it.

    Raises:
        PublicationError: no such change, it was not rerun yet, or the note says nothing.
        DiskFull
    """
    change = find(settings, name)
    if change.rerun_result == _NOT_RERUN:
        raise PublicationError(
            f"change {change.id} was not measured again yet: there is nothing to contest; "
            "`confirm_changes` measures it, or pause that DAG"
        )
    return contests.record(settings, _key(change), note=note, who=who)


def withdraw(settings: Settings, name: str, *, note: str | None, who: str) -> Contest:
    """Withdraw the contest of a change, whoever contested it; both entries are kept.

    Raises:
        PublicationError: no such change, or nobody contests it.
        DiskFull
    """
    change = find(settings, name)
    if change.contest is None:
        raise PublicationError(f"nobody contests change {change.id}; `jouleboard changes` lists all")
    return contests.record(settings, _key(change), note=note or "withdrawn", who=who, withdrawn=True)


def find(settings: Settings, name: str) -> Change:
    """The change with this id, or the beginning of it.

    Raises:
        PublicationError: there is none, or several.
    """
    wanted = name.strip()
    found = [change for change in changes(settings) if wanted and change.id.startswith(wanted)]
    if not found:
        raise PublicationError(f"no change {name!r}; `jouleboard changes` lists those that there are")
    if len(found) > 1:
        shown = ", ".join(change.id for change in found[:_SHOWN])
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise PublicationError(f"{len(found)} changes begin with {name!r}: name one of {shown}{more}")
    return found[0]


def _key(change: Change) -> contests.ChangeKey:
    return change.id, change.previous_runtime_version


def _change(row: Mapping[str, Any], recorded: Contest | None) -> Change:
    """A row of `release_history` as the recorded contests say it now: no publication may show that yet."""
    result = row.get("rerun_result") or row["confirmation"]
    now = {
        "confirmation": CONTESTED if recorded else result,
        "rerun_result": result,
        "contested_by": recorded and recorded.who,
        "contest_note": recorded and recorded.note,
    }
    return Change(
        row["leaderboard_id"],
        row["previous_runtime_version"],
        result,
        sentence({**row, **now}, with_task=True),
        recorded,
    )
