"""Housekeeping as a task of Airflow."""

from __future__ import annotations

import logging
from dataclasses import asdict
from typing import Any

from benchmark_tasks import catalog
from benchmark_tasks.catalog import Weekly
from jouleboard_airflow.platform.installation import Installation
from jouleboard_airflow.upkeep.housekeeping import housekeeping

log = logging.getLogger("airflow.task")


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
