"""What one new bundle costs where many have landed: `python -m benchmarks.many_bundles [--counts 5000]`.

Recorded runs are written again as records of other releases and repeats, with other energy. They are
metadata only: record and checksums, as housekeeping leaves a run whose other files are in cold storage. What
the gate read from those files before, and what they draw, is kept in the warehouse as an installation has
it. A first refresh publishes them all. Then one whole recorded bundle lands, and the refresh that publishes
it is measured step by step: wall time, processor time, and peak of resident memory of its process. At last,
what has landed is listed as for a plan. Only the costs are a result; the figures are made up.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import duckdb
import pyarrow as pa

from benchmark_tasks.results import bundle, cold
from benchmark_tasks.results.store import Store
from benchmark_tasks.settings import Settings
from expectations.candidate import profiles
from expectations.candidate.profiles import Profile
from expectations.gate import evidence
from expectations.gate.evidence import Evidence
from expectations.gate.kept import FOLDER, next_tables

RECORDED = Path(__file__).parents[1] / "recorded_runs"
RELEASES = 24
"""Of each runtime, a month apart."""

FIRST = datetime(2024, 11, 1, tzinfo=UTC)
DAYS = 730
MOST_SPREAD = 0.02
"""Energy of a repeat over that of the recorded run, at most so far from 1."""

MARK_BITS = 48


@dataclass(frozen=True)
class Step:
    """A step of a refresh: wall and processor seconds, and peak of resident memory in it."""

    name: str
    seconds: float
    cpu_seconds: float
    peak_mib: float


@dataclass(frozen=True)
class Original:
    """A recorded run: its record, what the gate reads from its files, and what they draw."""

    record: dict[str, Any]
    evidence: Evidence
    profile: Profile


def main() -> None:
    """Print a table per count of bundles."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.many_bundles", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--counts", default="5000,20000,100000", help="landed bundles, comma-separated")
    parser.add_argument("--home", type=Path, help="a folder to keep; what was made there is used again")
    for name in ("--refresh", "--list"):
        parser.add_argument(name, type=Path, metavar="HOME", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.refresh or options.list:
        steps = refreshed(options.refresh) if options.refresh else listed(options.list)
        print(json.dumps([asdict(step) for step in steps]))
        return
    for count in map(int, options.counts.split(",")):
        with _folder(options.home) as folder:
            measure(folder / str(count), count)


def measure(home: Path, count: int) -> None:
    """Make the bundles, refresh twice, print the steps."""
    settings = Settings(home=home)
    if not (home / "published").exists():
        began = time.monotonic()
        make(settings, count)
        print(f"{count:,} bundles made in {time.monotonic() - began:.0f} s", flush=True)
        _show(f"{count:,} bundles, the first refresh", _in_a_process(home))
    store = Store.of(settings)
    new = next(path for path in _recorded_folders() if store.find(path.name) is None)
    store.land_copy(new)
    _show(f"{count:,} bundles and one new", _in_a_process(home))
    _show(f"{count + 1:,} bundles, listed for a plan", _in_a_process(home, "--list"))


def make(settings: Settings, count: int) -> None:
    """Write `count` records into cold storage, and keep evidence and profile of each."""
    for folder in (settings.warehouse, settings.raw / cold.COLD, settings.home / "cold"):
        folder.mkdir(parents=True)
    cold.set_address(settings.raw, f"{settings.home / 'cold'}/")
    originals, chance = [_original(path) for path in _recorded_folders()], random.Random(count)
    read: list[Evidence] = []
    copies: list[dict[str, str]] = []
    for number in range(count):
        at = FIRST + number * timedelta(days=DAYS) / count
        original, run_id = originals[number % len(originals)], _uuid7(at, number)
        factor = 1 + chance.uniform(-1, 1) * MOST_SPREAD
        record = _again(original.record, run_id, at, number * RELEASES // count, factor)
        place = settings.raw / cold.COLD / record["configuration"]["task"] / f"{at:%Y-%m}" / run_id
        checksums = _write(place, record)
        read.append(_evidence_of(original.evidence, run_id, chance))
        key = profiles.key_of(run_id, checksums)
        copies.append({"run_id": run_id, "key": key, "original": original.profile.run_id})
    evidence.keep(read, settings.warehouse)
    _draw(settings.warehouse, [original.profile for original in originals], copies)


def _draw(warehouse: Path, originals: list[Profile], copies: list[dict[str, str]]) -> None:
    """Keep what the copies draw: the same as their originals."""
    listed = pa.Table.from_pylist(copies)  # DuckDB finds it by its name
    with next_tables(warehouse / FOLDER / profiles.PROFILES) as folder, duckdb.connect() as connection:
        assert listed.num_rows
        profiles.write(originals, folder)
        connection.execute("set memory_limit = '1GB'")
        for name in profiles.TABLES:
            path = folder / f"{name}.parquet"
            beside = path.with_suffix(".new")
            connection.execute(
                f"copy (select listed.run_id, drawn.* exclude (run_id) from listed join '{path}' drawn"
                f" on drawn.run_id = listed.original) to '{beside}' (format parquet)"
            )
            beside.replace(path)
        keys = folder / f"{profiles.KEYS}.parquet"
        connection.execute(f"copy (select run_id, key from listed) to '{keys}' (format parquet)")


def refreshed(home: Path) -> list[Step]:
    """Refresh, and say what each of its steps cost."""
    from expectations.gate.approval import Approval
    from expectations.refresh import refresh

    lines: list[str] = []
    steps: list[Step] = []
    since = [_spent()]

    def say(line: str) -> None:
        if not line.startswith("quarantined"):
            ends, began = _spent(), since[0]
            name = lines[-1] if lines else "begin"
            steps.append(Step(name, ends[0] - began[0], ends[1] - began[1], _peak_mib()))
            lines.append(line)
            since[0] = _spent()

    refresh(Settings(home=home), approve=Approval("a benchmark", "benchmark"), say=say)
    seconds, cpu_seconds = sum(step.seconds for step in steps), sum(step.cpu_seconds for step in steps)
    whole = Step(f"total: {lines[-1]}", seconds, cpu_seconds, max(step.peak_mib for step in steps))
    return [*steps, whole]


def _spent() -> tuple[float, float]:
    """Now, and processor seconds so far of this process and its children."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return time.monotonic(), sum(part.ru_utime + part.ru_stime for part in used)


def _peak_mib() -> float:
    """Peak of resident memory since the last call (Linux)."""
    status = Path("/proc/self/status").read_text()
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    Path("/proc/self/clear_refs").write_text("5")
    return int(peak.split()[1]) / 1024


def listed(home: Path) -> list[Step]:
    """List what has landed, as everything that plans does, and say what that cost."""
    began = _spent()
    runs = Store.of(Settings(home=home)).records().runs
    ends = _spent()
    return [Step(f"{len(runs)} runs", ends[0] - began[0], ends[1] - began[1], _peak_mib())]


def _in_a_process(home: Path, what: str = "--refresh") -> list[Step]:
    command = [sys.executable, "-m", "benchmarks.many_bundles", what, str(home)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"error: {what[2:]} failed: {done.stderr[-2000:]}")
    return [Step(**step) for step in json.loads(done.stdout.splitlines()[-1])]


def _show(title: str, steps: list[Step]) -> None:
    """A table in Markdown."""
    print(f"\n{title}\n\n| step | s | CPU s | peak MiB |\n|---|---|---|---|")
    for step in steps:
        print(f"| {step.name} | {step.seconds:.1f} | {step.cpu_seconds:.1f} | {step.peak_mib:,.0f} |")
    print(flush=True)


def _recorded_folders() -> list[Path]:
    return sorted(path.parent for path in RECORDED.glob(f"*/*/{bundle.RUN_FILE}"))


def _original(folder: Path) -> Original:
    run = bundle.read_record(folder)
    record = json.loads((folder / bundle.RUN_FILE).read_text())
    return Original(record, evidence.examine(run, folder), profiles.profile(run.run_id, folder))


def _again(record: dict[str, Any], run_id: str, at: datetime, release: int, factor: float) -> dict[str, Any]:
    """The record of another repeat, under another release, with another energy."""
    again: dict[str, Any] = _scaled(record, factor)
    provenance = record["provenance"]
    lasted = datetime.fromisoformat(record["finished_at"]) - datetime.fromisoformat(record["started_at"])
    version = f"0.{release + 1}.0"
    packages = {
        **provenance["runtime_packages"],
        provenance["runtime_distribution"]: version,
    }
    again |= {"run_id": run_id, "started_at": at.isoformat(), "finished_at": (at + lasted).isoformat()}
    again["comparability"] = {**record["comparability"], "runtime_version": version}
    again["provenance"] = {**provenance, "runtime_packages": packages}
    return again


def _scaled(value: Any, factor: float, name: str = "") -> Any:
    """The same JSON with every energy multiplied."""
    if isinstance(value, dict):
        return {key: _scaled(item, factor, key) for key, item in value.items()}
    if isinstance(value, list):
        return [_scaled(item, factor, name) for item in value]
    return value * factor if "joules" in name and isinstance(value, float) else value


def _write(place: Path, record: dict[str, Any]) -> str:
    """Write a record and its checksums; returns the SHA-256 of the latter."""
    place.mkdir(parents=True)
    text = json.dumps(record) + "\n"
    (place / bundle.RUN_FILE).write_text(text)
    checksums = f"{hashlib.sha256(text.encode()).hexdigest()}  {bundle.RUN_FILE}\n"
    (place / bundle.CHECKSUMS_FILE).write_text(checksums)
    return hashlib.sha256(checksums.encode()).hexdigest()


def _evidence_of(known: Evidence, run_id: str, chance: random.Random) -> Evidence:
    """The evidence of a repeat: measured anew, so with marks of its own."""

    def others(marks: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(sorted(chance.getrandbits(MARK_BITS) for _ in marks))

    return replace(
        known,
        run_id=run_id,
        content_digest=known.content_digest and f"{chance.getrandbits(256):064x}",
        request_marks=others(known.request_marks),
        power_marks=others(known.power_marks),
    )


def _uuid7(at: datetime, number: int) -> str:
    milliseconds = int(at.timestamp() * 1000)
    return str(UUID(int=(milliseconds << 80) | (7 << 76) | (2 << 62) | number))


@contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept
        return
    with tempfile.TemporaryDirectory(prefix="jouleboard-many-") as scratch:
        yield Path(scratch)


if __name__ == "__main__":
    main()
