"""HTML of the pages around a publication's own: rendered from `templates/`, which escape every value."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from jinja2 import Environment

from expectations.pages import templates_in
from jouleboard_airflow.ui.overview import MEASURING_DAGS, Run, Sweep

STATIC = Path(__file__).parent / "static"
TEMPLATES = Path(__file__).parent / "templates"

_SHARED_SCRIPT = re.compile(r'<script src="(?:\.\./)?(?P<name>[a-z_]+\.js)"></script>')
_OWN_POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')

_TITLES = {
    "index.html": "Leaderboard",
    "reading-jouleboard.html": "What our measurements say",
    "reading-mlenergy-v3.html": "What ML.ENERGY's say",
    "gate_report.html": "Gate report",
    "dbt_docs.html": "Tables and columns",
}


def sweeps(dag_id: str, runs: Sequence[Run]) -> str:
    """The tab of a DAG: one section per run, newest first, with one line per sweep."""
    if dag_id not in MEASURING_DAGS:
        return notice(f"{dag_id} measures no sweeps. DAGs with sweeps: {', '.join(MEASURING_DAGS)}.")
    if not runs:
        return notice(f"{dag_id} has not run yet.")
    return _render("sweeps.html", dag_id=dag_id, runs=runs)


def shell(names: Collection[str]) -> str:
    """The frame around a publication's pages; `shell.js` opens the pages that are clicked in it.

    Args:
        names: the pages that the publication has.
    """
    return _render("shell.html", links={name: title for name, title in _TITLES.items() if name in names})


def framed(page: str, site: Path) -> str:
    """A publication's page with the script that tells the frame around it which link was clicked.

    The page runs in an origin of its own, without the reader's session, so it could not load the scripts
    that it shares with other pages: they are put into it. A page's own policy holds where it is opened from a
    folder; here it would stop that script, and the policy of the response's header holds.

    Args:
        page: text of the page.
        site: the folder of the page, with the shared scripts.
    """
    whole = _OWN_POLICY.sub("", page, count=1)
    whole = _SHARED_SCRIPT.sub(lambda script: _inline(site / script["name"]), whole)
    return f"{whole}<script>\n{(STATIC / 'links.js').read_text()}</script>\n"


def _inline(script: Path) -> str:
    return f"<script>\n{script.read_text()}</script>" if script.is_file() else ""


def notice(text: str) -> str:
    """A page with one line of text."""
    return _render("notice.html", text=text)


def _render(template: str, **values: object) -> str:
    return _environment().get_template(template).render(values)


@cache
def _environment() -> Environment:
    environment = templates_in(TEMPLATES)
    environment.filters |= {"utc_minute": _utc_minute, "duration": _duration}
    return environment


def _utc_minute(moment: datetime | None) -> str:
    return f"{moment.astimezone(UTC):%F %H:%M} UTC" if moment else ""


def _duration(sweep: Sweep) -> str:
    """`H:MM:SS` that a sweep took, or takes so far; empty before it starts."""
    if sweep.started_at is None:
        return ""
    seconds = int(((sweep.ended_at or datetime.now(UTC)) - sweep.started_at).total_seconds())
    minutes, seconds = divmod(max(0, seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"
