"""The gate's report: every check with its rule, its source and its findings, as JSON and as a page.

Great Expectations' own Data Docs load style sheets from the network; this page needs none.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from expectations.gate.auditor import Audit
from expectations.pages import render_page

SHOWN = 200
"""Findings per check on the page; the JSON has all."""

NAMED = 3
"""Rows that a refusal's one line names."""


def a_few(names: Sequence[str], count: int | None = None) -> str:
    """The first names, for one line; `count`: how many there are, if more than were given."""
    more = (len(names) if count is None else count) - NAMED
    return "; ".join([*names[:NAMED], *([f"and {more} more"] if more > 0 else [])])


def write(audit: Audit, folder: Path, title: str) -> None:
    """Write `gate_report.json` and `gate_report.html` into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "gate_report.json").write_text(json.dumps(as_json(audit), indent=1) + "\n")
    (folder / "gate_report.html").write_text(as_html(audit, title))


def as_json(audit: Audit) -> list[dict[str, Any]]:
    """One object per check."""
    return [
        {
            "level": result.level.value,
            "table": result.table,
            "check": result.check.name,
            "severity": result.check.severity.value,
            "rule": result.check.rule,
            "source": result.check.source,
            "rows_checked": result.rows_checked,
            "findings": [
                {"key": finding.key, "observed": finding.observed, "reason": finding.reason}
                for finding in result.findings
            ],
        }
        for result in audit.results
    ]


def as_html(audit: Audit, title: str) -> str:
    """A self-contained page: failed checks first, then all of them."""
    failed = [result for result in audit.results if result.findings]
    in_order = sorted(failed, key=lambda result: not result.refuses)
    return render_page("gate/report.html", title=title, audit=audit, failed=in_order, shown=SHOWN)
