"""How long the gate takes for 1,858 configurations, and how that grows.

    python -m benchmarks.gate [--times 1 10 100]

Every run is judged by the per-run and the cross-run suite, every leaderboard row by the mart suite.
Runs are copies of samples under ids of their own; nothing touches a GPU or the network. The target:
at most 20 s for 1,858, and at most linear growth.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from benchmark_tasks import catalog
from benchmark_tasks.results.schema import Run, new_run_id
from benchmark_tasks.testing.samples import sample_run, write_sample
from expectations.gate.auditor import Auditor
from expectations.gate.evidence import Evidence, examine
from expectations.gate.intake import Intake
from expectations.suites import Level
from expectations.suites.cross_run import cross_run_checks
from expectations.suites.landed_runs import landed_runs
from expectations.suites.mart import audit_marts
from expectations.suites.run import run_checks
from expectations.suites.run_check import audit_runs

SQL = Path(__file__).with_name("sql")
CONFIGURATIONS = 1_858
TARGET_SECONDS = 20.0
SAMPLES = 20


def main() -> None:
    """Print one line per size; say whether the target holds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, nargs="+", default=[1, 10])
    times = parser.parse_args().times
    began = time.perf_counter()
    auditor = Auditor()
    auditor._start()
    loading = time.perf_counter() - began
    print(f"importing Great Expectations: {loading:.1f} s, once per process")
    print(f"{'rows':>8} {'reading':>10} {'run suite':>10} {'cross-run':>10} {'marts':>8} {'total':>8}")
    totals = {}
    for factor in times:
        rows = CONFIGURATIONS * factor
        with tempfile.TemporaryDirectory() as folder:
            seconds = measure(auditor, rows, Path(folder))
        totals[factor] = sum(seconds)
        print(
            f"{rows:>8} " + " ".join(f"{s:>{w}.2f}" for s, w in zip(seconds, (10, 10, 10, 8), strict=True)),
            end="",
        )
        print(f" {totals[factor]:>8.2f}")
    first, last = min(times), max(times)
    whole = totals[first] + loading
    print(f"{CONFIGURATIONS * first} rows, import included: {whole:.1f} s; target {TARGET_SECONDS:g} s")
    if last > first:
        growth = totals[last] / totals[first] / (last / first)
        print(f"growth from {first}x to {last}x: {growth:.2f} of linear")


def measure(auditor: Auditor, rows: int, folder: Path) -> tuple[float, float, float, float]:
    """Seconds for reading the runs, the per-run suite, the cross-run suite and the mart suite."""
    landed = copies(rows, folder)
    marks = [time.perf_counter()]
    runs = landed_runs(landed, catalog.load(), now=datetime.now(UTC))
    marks.append(time.perf_counter())
    audit = audit_runs(auditor, Level.RUN, run_checks(), runs)
    assert not audit.critical, audit.critical[0]
    marks.append(time.perf_counter())
    audit_runs(auditor, Level.CROSS_RUN, cross_run_checks(), runs)
    marks.append(time.perf_counter())
    database = leaderboard(rows, folder / "candidate.duckdb")
    began = time.perf_counter()
    audit = audit_marts(auditor, database)
    assert not audit.critical, audit.critical[0]
    mart_seconds = time.perf_counter() - began
    return marks[1] - marks[0], marks[2] - marks[1], marks[3] - marks[2], mart_seconds


def copies(rows: int, folder: Path) -> Intake:
    """`rows` runs made from a few samples, each under an id of its own, with the samples' evidence."""
    samples = [
        sample_run(batch_size=2 ** (3 + n % 5), tokens_per_second=2000 + 100 * n) for n in range(SAMPLES)
    ]
    known = [examine(run, write_sample(folder / "bundles", run)) for run in samples]
    runs: list[tuple[Run, Path]] = []
    evidence: dict[str, Evidence] = {}
    for n in range(rows):
        run = samples[n % SAMPLES].model_copy(update={"run_id": new_run_id()})
        place = folder / run.configuration.task / f"{run.started_at:%Y-%m}" / run.run_id
        runs.append((run, place))
        evidence[run.run_id] = replace(known[n % SAMPLES], run_id=run.run_id, content_digest=run.run_id)
    return Intake.of(runs, evidence)


def leaderboard(rows: int, path: Path) -> Path:
    """A candidate with as many good leaderboard rows."""
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema marts")
        connection.execute(f"set variable rows = {rows:d}")
        for mart, query in (
            ("leaderboard", "sample_leaderboard"),
            ("min_energy_configurations", "sample_min_energy_configurations"),
            ("release_history", "sample_release_history"),
            ("release_summary", "sample_release_summary"),
            ("release_canaries", "sample_release_canaries"),
            ("canary_savings", "sample_canary_savings"),
        ):
            connection.sql((SQL / f"{query}.sql").read_text()).create(f"marts.{mart}")
        for mart in ("run_log", "quarantine", "publications"):
            connection.execute(f"create table marts.{mart} (n integer)")
    return path


if __name__ == "__main__":
    main()
