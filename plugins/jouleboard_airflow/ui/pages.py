"""HTML of the pages that are not a publication's own. No scripts; whatever came from data is escaped."""

from __future__ import annotations

import html
from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from jouleboard_airflow.ui.overview import MEASURING_DAGS, Run, Sweep

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #888; }
body { font: 14px/1.5 system-ui, sans-serif; margin: 1.25rem; }
h1 { font-size: 1.1rem; margin: 0 0 1rem; }
h2 { font-size: .95rem; margin: 0; overflow-wrap: anywhere; }
section { border: 1px solid var(--line); border-radius: 6px; margin: 0 0 1rem; padding: .75rem 1rem; }
p { margin: .15rem 0; }
.soft { color: var(--soft); }
table { border-collapse: collapse; margin-top: .5rem; width: 100%; }
td { border-top: 1px solid var(--line); padding: .3rem .75rem .3rem 0; vertical-align: top; }
td.title { overflow-wrap: anywhere; width: 65%; }
td.time { text-align: right; white-space: nowrap; padding-right: 0; font-variant-numeric: tabular-nums; }
.state { border-radius: 4px; padding: .05rem .45rem; white-space: nowrap; background: #8883; }
.success { background: #1a7f3733; } .failed, .upstream_failed { background: #d1242f33; }
.running { background: #1f883d55; } .queued, .scheduled, .up_for_retry { background: #bf870033; }
.error { color: #d1242f; overflow-wrap: anywhere; }
"""

_TITLES = {
    "index.html": "Leaderboard",
    "gate_report.html": "Gate report",
    "dbt_docs.html": "Tables and columns",
}
_SHELL_STYLE = """
:root { color-scheme: light dark; }
html, body { height: 100%; margin: 0; }
body { display: flex; flex-direction: column; font: 14px/1.5 system-ui, sans-serif; }
nav { display: flex; gap: 1.5rem; padding: .4rem 1.75rem; border-bottom: 1px solid #8884; }
a { color: LinkText; }
iframe { border: 0; flex: 1; }
"""
_TELLS_CLICKS = """<script>
addEventListener("click", (event) => {
  const link = event.target.closest("a[href]");
  const wanted = link && link.getAttribute("href");
  if (!wanted || wanted.startsWith("#") || /^[a-z]+:/i.test(wanted)) return;
  event.preventDefault();
  parent.postMessage(wanted, "*");
});
</script>
"""


def sweeps(dag_id: str, runs: Sequence[Run]) -> str:
    """The tab of a DAG: a section a run, newest first, with a line a sweep."""
    if dag_id not in MEASURING_DAGS:
        return notice(f"{dag_id} measures nothing; sweeps are shown with {', '.join(MEASURING_DAGS)}.")
    if not runs:
        return notice(f"{dag_id} has not run yet.")
    body = "".join(_run(run) for run in runs)
    return _page(
        f"What {dag_id} measured", f"<h1>What the last runs of {html.escape(dag_id)} measured</h1>{body}"
    )


def shell(names: Collection[str]) -> str:
    """The frame around a publication's pages; `shell.js` opens what is clicked in it.

    names: the pages that the publication has.
    """
    links = "".join(f'<a href="{name}">{title}</a>' for name, title in _TITLES.items() if name in names)
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><title>Leaderboard</title>"
        f'<style>{_SHELL_STYLE}</style><body><nav>{links}</nav><iframe id=page title="Leaderboard" '
        'sandbox="allow-scripts allow-downloads" src="site/index.html"></iframe>'
        '<script src="shell.js"></script></body></html>'
    )


def framed(page: str) -> str:
    """A publication's page that names what is clicked to the frame around it."""
    return page + _TELLS_CLICKS


def notice(text: str) -> str:
    """One line."""
    return _page("Jouleboard", f"<p>{html.escape(text)}</p>")


def _run(run: Run) -> str:
    said = [("Estimate", run.estimate), ("Verdict", run.verdict)]
    lines = "".join(
        f"<p><span class=soft>{name}:</span> {html.escape(text)}</p>" for name, text in said if text
    )
    rows = "".join(_row(sweep) for sweep in run.sweeps)
    table = f"<table>{rows}</table>" if rows else "<p class=soft>No sweeps.</p>"
    when = f"{run.queued_at.astimezone(UTC):%F %H:%M} UTC" if run.queued_at else ""
    head = f"<h2>{html.escape(run.run_id)} {_state(run.state)}</h2><p class=soft>{when}</p>"
    return f"<section>{head}{lines}{table}</section>"


def _row(sweep: Sweep) -> str:
    error = f"<p class=error>{html.escape(sweep.error)}</p>" if sweep.error else ""
    return (
        f"<tr><td class=title>{html.escape(sweep.title)}{error}</td><td>{_state(sweep.state)}</td>"
        f"<td class=time>{_duration(sweep.started_at, sweep.ended_at)}</td></tr>"
    )


def _state(state: str) -> str:
    name = html.escape(state, quote=True)
    return f'<span class="state {name}">{name.replace("_", " ")}</span>'


def _duration(started: datetime | None, ended: datetime | None) -> str:
    if started is None:
        return ""
    seconds = int(((ended or datetime.now(UTC)) - started).total_seconds())
    minutes, seconds = divmod(max(0, seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"


def _page(title: str, body: str) -> str:
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{html.escape(title)}</title>"
        f"<style>{_STYLE}</style><body>{body}</body></html>"
    )
