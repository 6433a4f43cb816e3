"""HTML of the pages around a publication's own: rendered from `templates/`, which escape every value."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import cache
from html import unescape
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote

from jinja2 import Environment

from expectations.board.addresses import navigation
from expectations.board.reading import SOURCES
from expectations.board.reading import page_name as reading_page_name
from expectations.pages import templates_in
from jouleboard_airflow.ui.opening import Opened

STATIC = Path(__file__).parent / "static"
TEMPLATES = Path(__file__).parent / "templates"

_SHARED_SCRIPT = re.compile(r'<script src="(?:\.\./)?(?P<name>[a-z][a-z0-9._-]*\.js)"></script>')
_SWEEP_CELL = re.compile(r'(<td data-sweep="[^"]*">)([^<]*)</td>')
_OWN_POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')

_DOCUMENTATION = ("dbt_docs.html", "Tables and columns")
_WITHOUT_NAVIGATION = "<style>nav.site { display: none; }</style>"


def shell(names: Collection[str], opened: Opened) -> str:
    """The frame around a publication's pages; `shell.js` opens the pages that are clicked in it.

    Args:
        names: the pages that the publication has.
        opened: the page to begin with, and what to tell the reader.
    """
    readings = [source for source in SOURCES if reading_page_name(source) in names]
    site = (*navigation(readings), _DOCUMENTATION)
    links = {name: title for name, title in site if name in names}
    return _render("shell.html", links=links, opened=opened)


def sweeps_in(page: str) -> set[str]:
    """The sweeps that a publication's page names; those that Airflow ran carry the id of a run."""
    return {unescape(sweep) for _, sweep in _SWEEP_CELL.findall(page)}


def framed(page: str, site: Path, runs: Mapping[str, str] = MappingProxyType({})) -> str:
    """A publication's page with the script that tells the frame around it which link was clicked.

    The frame has the site's navigation, so the page does not show its own.
    That script stands first, so that a link works before the page's own scripts have run. The page runs in
    an origin of its own, without the reader's session, so it could not load the scripts that it shares with
    other pages: they are put into it. A page's own policy holds where it is opened from a folder; here it
    would stop that script, and the policy of the response's header holds.

    Args:
        page: text of the page.
        site: the folder of the page, with the shared scripts.
        runs: `<dag_id>/<run_id>` of the sweeps that are runs of Airflow: their names become links.
    """
    whole = _OWN_POLICY.sub("", page, count=1)
    whole = _SWEEP_CELL.sub(lambda cell: _linked(cell, runs), whole)
    whole = _SHARED_SCRIPT.sub(lambda script: _inline(site / script["name"]), whole)
    head, end, rest = whole.partition("</head>")
    added = f"{_WITHOUT_NAVIGATION}<script>\n{(STATIC / 'links.js').read_text()}</script>\n"
    return f"{head}{added}{end}{rest}"


def _linked(cell: re.Match[str], runs: Mapping[str, str]) -> str:
    """The cell of a sweep with a link to its run. The address goes to `shell.js`; no page has it."""
    run = runs.get(unescape(cell[2]))
    return cell[0] if run is None else f'{cell[1]}<a href="../../runs/{quote(run)}">{cell[2]}</a></td>'


def _inline(script: Path) -> str:
    return f"<script>\n{script.read_text()}</script>" if script.is_file() else ""


def notice(text: str) -> str:
    """A page with one line of text."""
    return _render("notice.html", text=text)


def _render(template: str, **values: object) -> str:
    return _environment().get_template(template).render(values)


@cache
def _environment() -> Environment:
    return templates_in(TEMPLATES)
