"""The gate's report: every check with its rule, its source and what it found, as JSON and as a page.

Great Expectations' own Data Docs load style sheets from the network; this page needs none.
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from expectations.gate.auditor import Audit, CheckResult
from expectations.suites.checks import Severity

SHOWN = 200
"""Findings a check shows on the page; the JSON has all."""

NAMED = 3
"""Rows that a refusal's one line names."""

STYLE = Path(__file__).parents[1] / "board" / "page" / "style.css"


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
    """One object a check."""
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
    body = "".join(_failed(result, audit.labels) for result in in_order)
    rows = "".join(_row(result) for result in audit.results)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{html.escape(title)}</title><style>{STYLE.read_text()}</style></head><body>
<header><h1>{html.escape(title)}</h1>
<p>{len(audit.results)} checks, {len(audit.critical)} critical findings, {len(audit.warnings)} warnings.
A critical finding on a run sets that run aside; on a mart it stops the publication.</p></header>
<main><h2>What failed</h2>{body or "<p>Nothing.</p>"}
<h2>All checks</h2><div class="scroll"><table><thead><tr><th>suite</th><th>table</th><th>check</th>
<th>severity</th><th>rule</th><th>source of the threshold</th><th class="number">rows</th>
<th class="number">failed</th></tr></thead><tbody>{rows}</tbody></table></div></main></body></html>
"""


def _failed(result: CheckResult, labels: Mapping[str, str]) -> str:
    check = result.check
    rows = "".join(
        f"<tr><td class=key>{html.escape(finding.key or 'whole table')}</td>"
        f"<td>{html.escape(labels.get(finding.key, ''))}</td>"
        f"<td>{html.escape(finding.observed)}</td></tr>"
        for finding in result.findings[:SHOWN]
    )
    more = len(result.findings) - SHOWN
    return (
        f"<section><h3><span class='badge {check.severity.value}'>{check.severity.value}</span> "
        f"{html.escape(result.table)}: {html.escape(check.name)}</h3>"
        f"<p>{html.escape(check.reason)}. Rule: {html.escape(check.rule)} "
        f"({html.escape(check.source)}).</p>"
        "<div class=scroll><table><thead>"
        "<tr><th>row</th><th>what it measured</th><th>observed</th></tr>"
        f"</thead><tbody>{rows}</tbody></table></div>"
        + (f"<p>and {more} more; gate_report.json has all</p>" if more > 0 else "")
        + "</section>"
    )


def _row(result: CheckResult) -> str:
    count = len(result.findings)
    mark = result.check.severity.value if count else "passed"
    refused = Severity.CRITICAL.value
    return (
        f"<tr><td>{result.level.value}</td><td>{html.escape(result.table)}</td>"
        f"<td>{html.escape(result.check.name)}</td>"
        f"<td>{'refuses' if result.check.severity.value == refused else 'warns'}</td>"
        f"<td>{html.escape(result.check.rule)}</td><td>{html.escape(result.check.source)}</td>"
        f"<td class=number>{result.rows_checked}</td>"
        f"<td class=number><span class='badge {mark}'>{count}</span></td></tr>"
    )
