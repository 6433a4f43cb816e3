"""`jouleboard doctor`: what this machine can measure."""

from __future__ import annotations

from typing import Any

from benchmark_tasks.cli.options import Json
from benchmark_tasks.cli.output import print_rows
from benchmark_tasks.errors import JouleboardError
from benchmark_tasks.settings import Settings


def doctor(as_json: Json = False) -> None:
    """Show what this machine can measure, what is missing, and what to do about it."""
    from dataclasses import asdict

    from benchmark_tasks.doctor import examine

    diagnosis = examine(Settings.from_environment())
    rows = [asdict(finding) for finding in diagnosis.findings]
    print_rows(rows, as_json, lambda row: (f"[{row['state']}]", row["name"], _with_remedy(row)))
    if not diagnosis.can_measure:
        raise JouleboardError("nothing can be measured on this machine; see the lines marked broken")


def _with_remedy(row: dict[str, Any]) -> str:
    return row["detail"] if row["remedy"] is None else f"{row['detail']} -> {row['remedy']}"
