"""Housekeeping, step by step: look at each kind of what grows, say what can be freed, free it if told.

Nothing published or judged is lost: runs keep their records here and their files in cold storage, the
publications that are needed stay, and what can be made again is made again. Each thing is removed in one step
after it was made sure of, so a kill loses nothing, and the next call goes on.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmark_tasks import catalog as catalogs
from benchmark_tasks.catalog import Housekeeping
from benchmark_tasks.errors import JouleboardError
from benchmark_tasks.results.store import Store
from expectations import publications
from jouleboard_airflow.platform.installation import Installation
from jouleboard_airflow.upkeep import airflow_database, unneeded
from jouleboard_airflow.upkeep.backup import exclusive
from jouleboard_airflow.upkeep.findings import Findings, Kind, Removable

Say = Callable[[str], None]


@dataclass(frozen=True)
class Row:
    """What was found and freed of one kind.

    total_bytes: all of it, before. removable: how many things; removable_bytes: their size. freed_bytes: what
    was freed; 0 in a dry run. note: why nothing, or not all, can be freed.
    """

    kind: Kind
    total_bytes: int
    removable: int
    removable_bytes: int
    freed_bytes: int
    note: str


def housekeeping(
    installation: Installation,
    *,
    apply: bool = False,
    policy: Housekeeping | None = None,
    say: Say = lambda line: None,
    environment: Mapping[str, str] = os.environ,
) -> list[Row]:
    """Say what can be freed; with `apply`, free it. policy: by default the catalog's.

    Raises:
        CatalogError: the policy cannot be read. PublisherBusy: a backup, restore or housekeeping is running.
        JouleboardError: something could not be removed; all else was.
    """
    settings = installation.settings
    chosen = policy or catalogs.load_housekeeping(overlay=settings.catalog)
    with exclusive(installation):
        found = look(installation, chosen, environment)
        if not apply:
            return [_row(findings, 0) for findings in found]
        Store.of(settings).sweep_up()
        rows: list[Row] = []
        problems: list[str] = []
        for findings in found:
            freed, failed = _free(installation, findings, say)
            rows.append(_row(findings, freed))
            problems += failed
    if problems:
        raise JouleboardError(f"{len(problems)} things could not be removed, all else was: {problems[0]}")
    return rows


def look(
    installation: Installation, policy: Housekeeping, environment: Mapping[str, str] = os.environ
) -> list[Findings]:
    """What there is, and what the policy lets go, kind by kind. Changes nothing."""
    settings = installation.settings
    logs = Path(environment.get("AIRFLOW_HOME") or installation.home) / "logs"
    return [
        unneeded.old_environments(settings, policy),
        unneeded.old_task_logs(policy, logs),
        airflow_database.old_rows(installation, policy.airflow_database.days, environment),
        unneeded.old_raw(settings, policy),
        unneeded.old_imports(settings, policy),
        unneeded.old_publications(settings, policy),
    ]


def _free(installation: Installation, findings: Findings, say: Say) -> tuple[int, list[str]]:
    """Remove everything removable of a kind; returns the bytes freed, and what could not be removed."""
    freed = 0
    problems: list[str] = []
    try:
        with _undisturbed(installation, findings):
            for item in findings.removable:
                freed += _remove(item, findings.kind, problems, say)
    except JouleboardError as error:  # a refresh is running
        problems.append(str(error))
    return freed, problems


def _remove(item: Removable, kind: Kind, problems: list[str], say: Say) -> int:
    try:
        freed = item.remove()
    except (JouleboardError, OSError) as error:
        problems.append(f"{kind} {item.what}: {error}")
        return 0
    say(f"{kind}: {item.what}, {freed / 1e6:,.1f} MB")
    return freed


@contextmanager
def _undisturbed(installation: Installation, findings: Findings) -> Iterator[None]:
    """No refresh reads the landing zone and the imports while something leaves them."""
    if findings.removable and findings.kind in (Kind.RAW, Kind.IMPORTS):
        with publications.hold_lock(installation.settings.warehouse / ".lock", "a refresh"):
            yield
    else:
        yield


def _row(findings: Findings, freed: int) -> Row:
    return Row(
        findings.kind,
        findings.total_bytes,
        len(findings.removable),
        findings.removable_bytes,
        freed,
        findings.note,
    )
