"""Recomputes the published findings from the marts: `make findings`.

Each finding is one plain SQL query in dbt_project/analyses/findings/<id>.sql that reads marts and
nothing else. The published statements come with the data (findings.csv), not with this repository.
Prints one line per finding; exits 1 on a miss.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import duckdb

from benchmark_tasks.errors import JouleboardError
from benchmarks.candidate import build_published
from benchmarks.published import require_published_folder

QUERIES = Path(__file__).resolve().parent.parent / "dbt_project" / "analyses" / "findings"
RECOMPUTED_DIGITS = 1e-5
"""Relative; findings.csv gives recomputed values to six significant digits."""


@dataclass(frozen=True)
class PublishedFinding:
    """A published statement. `tolerance` is in the unit of the published value."""

    id: str
    statement: str
    published: str
    recomputed: str
    tolerance: float


@dataclass(frozen=True)
class Outcome:
    """What our marts give for a finding."""

    finding: PublishedFinding
    ours: str
    holds: bool


def read_findings(folder: Path) -> tuple[PublishedFinding, ...]:
    """The statements in `folder/findings.csv`."""
    with (folder / "findings.csv").open(newline="") as file:
        return tuple(
            PublishedFinding(
                row["id"],
                row["statement"],
                row["published_value"],
                row["recomputed_value"],
                float(row["tolerance"].removeprefix("+-")),
            )
            for row in csv.DictReader(file)
        )


def check(finding: PublishedFinding, connection: duckdb.DuckDBPyConnection) -> Outcome:
    """Run the finding's query: it must give one value, within the tolerance of what was published."""
    query = QUERIES / f"{finding.id}.sql"
    if not query.is_file():
        return Outcome(finding, f"no query {query.name}", False)
    rows = connection.execute(query.read_text()).fetchall()
    if len(rows) != 1 or len(rows[0]) != 1 or rows[0][0] is None:
        return Outcome(finding, f"not one value: {rows}", False)
    value = rows[0][0]
    if isinstance(value, bool | str):
        return Outcome(finding, str(value), str(value) == finding.published == finding.recomputed)
    return Outcome(finding, f"{value:.6g}", _agrees(float(value), finding))


def _agrees(value: float, finding: PublishedFinding) -> bool:
    published, recomputed = float(finding.published), float(finding.recomputed)
    near_published = abs(value - published) <= finding.tolerance
    # Where the statement is that something is zero, the recomputed value is float error.
    as_recomputed = abs(value - recomputed) <= max(RECOMPUTED_DIGITS * abs(recomputed), 1e-12)
    return near_published and as_recomputed


def report(outcomes: tuple[Outcome, ...]) -> str:
    """One line a finding, then the count."""
    lines = [f"{'id':4} {'published':>17} {'ours':>17}  verdict  statement"]
    lines += [
        f"{o.finding.id:4} {o.finding.published:>17} {o.ours:>17}  {'holds  ' if o.holds else 'MISSES '}"
        f"  {o.finding.statement}"
        for o in outcomes
    ]
    held = sum(o.holds for o in outcomes)
    return "\n".join([*lines, f"{held} of {len(outcomes)} findings hold"])


def check_all(database: Path, findings: tuple[PublishedFinding, ...]) -> tuple[Outcome, ...]:
    """Check every finding against the marts in a database."""
    with duckdb.connect(str(database), read_only=True) as connection:
        return tuple(check(finding, connection) for finding in findings)


def main() -> int:
    """Build the marts from the published data, or read a database given, and check every finding."""
    parser = argparse.ArgumentParser(prog="make findings", description=__doc__)
    parser.add_argument("--database", type=Path, help="read these marts instead of building them")
    arguments = parser.parse_args()
    try:
        source = require_published_folder()
        if not (source / "findings.csv").is_file():
            raise JouleboardError(f"{source}: no findings.csv in this folder")
        with tempfile.TemporaryDirectory() as scratch:
            database = arguments.database or build_published(source, Path(scratch))
            outcomes = check_all(database, read_findings(source))
    except JouleboardError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(report(outcomes))
    return 0 if all(outcome.holds for outcome in outcomes) else 1


if __name__ == "__main__":
    raise SystemExit(main())
