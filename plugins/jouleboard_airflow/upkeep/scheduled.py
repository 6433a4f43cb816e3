"""Housekeeping and the weekly check of all figures as tasks of Airflow."""

from __future__ import annotations

import logging
from dataclasses import asdict
from typing import Any

from benchmark_tasks import catalog
from benchmark_tasks.catalog import Weekly
from benchmark_tasks.settings import Settings
from jouleboard_airflow.platform.installation import Installation
from jouleboard_airflow.upkeep.housekeeping import housekeeping

log = logging.getLogger("airflow.task")


def recompute_figures(settings: Settings | None = None) -> str:
    """Work every row of the current publication out again; the log has a line per row that is not equal.

    Returns what came of it. Without a publication there is nothing to do.

    Raises:
        FiguresDiffer, PublicationError: a row differs from its source, or cannot be worked out again.
    """
    from expectations import publications
    from expectations.rows.deep import verify_rows

    settings = settings or Settings.from_environment()
    published = publications.current(settings)
    if published is None:
        return "nothing is published yet"
    return verify_rows(settings, published, say=log.warning)


def tidy(apply: bool | None) -> list[dict[str, Any]]:
    """Housekeeping of this installation, with a line per kind; `None`: as the policy says for each week."""
    installation = Installation.from_environment()
    policy = catalog.load_housekeeping(overlay=installation.settings.catalog)
    applied = policy.weekly is Weekly.APPLY if apply is None else apply
    rows = housekeeping(installation, apply=applied, policy=policy, say=log.info)
    for row in rows:
        change = f"freed {row.freed_bytes:,}" if applied else f"could free {row.removable_bytes:,}"
        log.info("%s: %s bytes, %s; %s", row.kind, f"{row.total_bytes:,}", change, row.note)
    return [asdict(row) for row in rows]
