"""Which figures of a record can be doubled or halved without the gate refusing the run.

    python -m benchmarks.mutations recorded_runs/*/01a217b1*

Every number of run.json is changed, one at a time, and the bundle is judged with the files that it has.
`UNSEEN` says in words why a number may be wrong and pass.
"""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from benchmark_tasks import catalog
from benchmark_tasks.results import bundle
from benchmark_tasks.results.schema import Run, new_run_id
from expectations.gate import bundle_files, evidence
from expectations.gate.intake import Intake
from expectations.suites.checks import Severity
from expectations.suites.landed_runs import landed_runs
from expectations.suites.run import run_checks
from expectations.suites.run_check import columns, outside

FACTORS = (2, 0.5)

UNSEEN = {
    "client.loop_lag_max_ms": "only its p99 is judged; in no mart",
    "client.loop_lag_p99_ms": "samples are not kept; beyond its limit the run's verdict contradicts it",
    "configuration.batch_size": "of a run that never settled, which has no figures",
    "configuration.ring_degree": "of a run whose log does not say how GPUs were used (before 2026-11-26)",
    "configuration.ulysses_degree": "of a run whose log does not say how GPUs were used (before 2026-11-26)",
    "device.idle_watts_loaded": "a warning (idle_powers_fit); in no energy figure",
    "device.peak_memory_bytes_per_gpu": "no second source; in no mart",
    "latency.itl_histogram.[]": "a bin with few latencies; in no mart",
    "phases.[].joules": "of a start or a warm-up: a warning, or within what idle and load allow; ledger only",
    "phases.[].seconds": "of a start: a warning (start_power_fits_idle); of a short warm-up: ledger only",
    "provenance.cpu_count": "says where a run was, decides nothing",
    "provenance.gpus.[].index": "says where a run was; UUIDs identify GPUs",
    "provenance.seed": "says what was drawn; another seed has another request set",
    "sample.pixel_spread": "no second source; only 0 means something",
    "server.metric_samples": "of a runtime without a server, which has no such samples",
    "window_mlenergy.start_seconds": "so near 0 that its double moves no figure by 0.1 %",
    "window_steady.power_trend": "a warning from the parts of the window; in no mart",
    "window_steady.throughput_trend": "a warning from the parts of the window; in no mart",
}
"""Fields that the gate does not refuse in some run, and why that is no wrong figure on the board."""


@dataclass(frozen=True)
class Mutant:
    """A record with one number changed. `run`: `None` where the record's own types refuse it."""

    field: str
    factor: float
    run: Run | None


def main() -> None:
    """Print which fields the gate refuses, warns of, or does not see."""
    seen: dict[str, list[str]] = {}
    for folder in map(Path, sys.argv[1:]):
        for field, checks in caught(folder).items():
            seen.setdefault(field, []).append(checks)
    for field, checks_of_runs in sorted(seen.items()):
        print(f"{field:55} {'; '.join(sorted(set(checks_of_runs)))}")


def unseen(folder: Path) -> set[str]:
    """The fields of a bundle whose double or half the gate does not refuse."""
    return {field for field, checks in caught(folder).items() if "accepted" in checks}


def caught(folder: Path) -> dict[str, str]:
    """What happens with each number of a bundle's record, doubled and halved."""
    record = json.loads((folder / bundle.RUN_FILE).read_text())
    files = bundle_files.read_files(Run.model_validate(record), folder)
    made = list(mutants(record))
    runs = [mutant.run for mutant in made if mutant.run is not None]
    refused = _refused(runs, files)
    result: dict[str, list[str]] = {}
    for mutant in made:
        reason = "record" if mutant.run is None else refused[mutant.run.run_id] or "accepted"
        result.setdefault(mutant.field, []).append(f"x{mutant.factor:g}: {reason}")
    return {field: ", ".join(reasons) for field, reasons in result.items()}


def mutants(record: dict[str, Any]) -> Iterator[Mutant]:
    """Each number of a record, doubled and halved; of a histogram only its largest bin."""
    for path, value in _numbers(record):
        for factor in FACTORS:
            changed = _changed(value, factor)
            if changed is None:
                continue
            content = copy.deepcopy(record)
            inner: Any = content
            for part in path[:-1]:
                inner = inner[part]
            inner[path[-1]] = changed
            try:
                run: Run | None = Run.model_validate(content | {"run_id": new_run_id()})
            except ValidationError:
                run = None
            yield Mutant(".".join(_name(part) for part in path), factor, run)


def _changed(value: float, factor: float) -> float | None:
    """Another number of the same type; `None` where there is none."""
    if value == 0:
        return type(value)(1) if factor > 1 else None
    changed = type(value)(value * factor)
    return None if changed == value else changed


def _numbers(content: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], float]]:
    if path in (("schema_version",), ("provenance", "server_options"), ("provenance", "runtime_packages")):
        return
    if path and path[-1] == "itl_histogram":
        content = dict([max(content.items(), key=lambda item: item[1])]) if content else {}
    if isinstance(content, dict | list):
        for key, value in content.items() if isinstance(content, dict) else enumerate(content):
            yield from _numbers(value, (*path, key))
    elif isinstance(content, int | float) and not isinstance(content, bool):
        yield path, content


def _name(part: str | int) -> str:
    return "[]" if isinstance(part, int) or part.isdigit() else part


def _refused(runs: list[Run], files: bundle_files.Files) -> dict[str, str]:
    """By run: the first critical check that fails; empty where none does. Copies are allowed here."""
    checks = [check for check in run_checks() if check.severity is Severity.CRITICAL]
    checks = [check for check in checks if check.name != "not_a_replay"]
    listed = [(run, Path(run.configuration.task, f"{run.started_at:%Y-%m}", run.run_id)) for run in runs]
    facts = {run.run_id: evidence.compare(run, files) for run in runs}
    landed = landed_runs(Intake.of(listed, facts), catalog.load(), now=datetime.now(UTC))
    values = columns(checks, landed).values.set_index("run_id")
    refused = {check.name: outside(check, values[check.name]) for check in checks}
    return {
        run.run_id: next((name for name, failed in refused.items() if failed[run.run_id]), "") for run in runs
    }


if __name__ == "__main__":
    main()
