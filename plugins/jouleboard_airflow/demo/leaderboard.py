"""What the demo prints at its end: the current publication, and where to look at it."""

from __future__ import annotations

import itertools
from operator import itemgetter
from pathlib import Path

from benchmark_tasks.settings import Settings
from jouleboard_airflow.platform.installation import Installation
from jouleboard_airflow.platform.status import login

_QUERY = Path(__file__).with_name("leaderboard.sql")
_TEXT_COLUMNS = ("model", "on", "runtime", "weights")
_LEAST_WIDTH = 124


def print_leaderboard(settings: Settings) -> None:
    """Print the batch size with the lowest energy per output of each model, with its interval.

    Raises:
        PublicationError: nothing is published.
    """
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    from expectations.publications import query

    answer = query(settings, _QUERY.read_text())
    table = Table(
        title="The current publication: per model and GPU the batch size with the lowest energy per output",
        box=SIMPLE_HEAD,
        caption="-: not measured (no energy counter), or no interval (a single run); never an estimate\n"
        "0.26.0+: with options or variables of its own",
    )
    for column in answer.columns[1:]:
        table.add_column(column, justify="left" if column in _TEXT_COLUMNS else "right", no_wrap=True)
    for task, rows in itertools.groupby(answer.rows, key=itemgetter(0)):
        table.add_section()
        table.add_row(f"[bold]{task}[/bold]")
        for row in rows:
            table.add_row(*map(_cell, row[1:]))
    Console(width=max(_LEAST_WIDTH, Console().width)).print(table)


def _cell(value: object) -> str:
    from expectations.pages.numbers import significant

    if isinstance(value, float):
        return significant(value)
    return "-" if value is None else str(value)


def print_where_to_look(installation: Installation) -> None:
    """Print where the results are: database, UI and, last, the page."""
    published = installation.settings.published / "current"
    print(f'database  {published / "leaderboard.duckdb"}   (`.venv/bin/jouleboard query "select ..."`)')
    print(f"gate      {published / 'site' / 'gate_report.html'}   (its warnings)")
    print(f"UI        `make up`, then {installation.url}; {login(installation)}")
    print(f"page      {published / 'site' / 'index.html'}")
