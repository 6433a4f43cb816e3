"""Recorded runs as if they had been measured again: with another release, at another time.

The gate judges them like real ones. So the installed package has the release's version, too, and times of
requests and power samples differ from those recorded by less than any check sees, but for the one that
looks for copies. What begins or ends a window stays as it is, since the record counts requests by it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmark_tasks.results import bundle
from benchmark_tasks.results.schema import Run
from benchmark_tasks.results.store import Store
from benchmark_tasks.results.tables import Series

RECORDED = Path(__file__).parents[1] / "recorded_runs"
VERSION = "0.26.0"
"""The release that was measured."""

MINUTES_EACH = 5
_TIMES = ("sent_seconds", "first_token_seconds", "finished_seconds")
_NOISE_SECONDS = 1e-7
_NOISE_WATTS = 1e-4
"""Of the power."""


def land(store: Store, bundles: str, version: str, at: datetime, seed: int) -> int:
    """Land recorded bundles (a pattern) as if a release had been measured from then on. Returns how many."""
    count = 0
    for recorded, run in _recorded(bundles):
        again = _another(run, version, at + timedelta(minutes=MINUTES_EACH * count), seed * 1000 + count)
        chance = np.random.default_rng(seed * 1000 + count)
        with store.staging(again.run_id) as staged:
            for log in recorded.glob("*.log"):
                shutil.copyfile(log, staged / log.name)
            requests = pq.read_table(recorded / bundle.REQUESTS_FILE)
            pq.write_table(_other_times(requests, run, chance), staged / bundle.REQUESTS_FILE)
            timelines = pq.read_table(recorded / bundle.TIMELINES_FILE)
            pq.write_table(_other_power(timelines, chance), staged / bundle.TIMELINES_FILE)
            bundle.write_record(staged, again)
            store.land(staged)
        count += 1
    return count


def _recorded(bundles: str) -> Iterator[tuple[Path, Run]]:
    for path in sorted(RECORDED.glob(f"{bundles}/{bundle.RUN_FILE}")):
        run = bundle.read_record(path.parent)
        if run.comparability.runtime_version == VERSION:
            yield path.parent, run


def _another(run: Run, version: str, at: datetime, number: int) -> Run:
    provenance, packages = run.provenance, run.provenance.runtime_packages
    packages = {**packages, provenance.runtime_distribution: version}
    return run.model_copy(
        update={
            "run_id": _uuid7(at, number),
            "started_at": at,
            "finished_at": at + (run.finished_at - run.started_at),
            "comparability": run.comparability.model_copy(update={"runtime_version": version}),
            "provenance": provenance.model_copy(update={"runtime_packages": packages}),
        }
    )


def _uuid7(at: datetime, number: int) -> str:
    milliseconds = int(at.timestamp() * 1000)
    return str(UUID(int=(milliseconds << 80) | (7 << 76) | (2 << 62) | number))


def _other_times(requests: pa.Table, run: Run, chance: np.random.Generator) -> pa.Table:
    """Each request a little later."""
    windows = [window for window in (run.window_steady, run.window_mlenergy) if window is not None]
    edges = [edge for window in windows for edge in (window.start_seconds, window.end_seconds) if edge]
    times = [requests[name].to_numpy() for name in _TIMES if name in requests.column_names]
    at_edge = np.any(
        [np.isclose(values, edge, rtol=0, atol=1e-5) for values in times for edge in edges], axis=0
    )
    later = np.where(at_edge, 0.0, chance.uniform(0, _NOISE_SECONDS, requests.num_rows))
    for name in _TIMES:
        if name in requests.column_names:
            requests = _replaced(requests, name, pc.add(requests[name], pa.array(later)))
    return requests


def _other_power(timelines: pa.Table, chance: np.random.Generator) -> pa.Table:
    """Each power sample a little higher or lower."""
    factors = chance.uniform(1 - _NOISE_WATTS, 1 + _NOISE_WATTS, timelines.num_rows)
    is_power = pc.equal(timelines["series"].cast(pa.string()), Series.POWER_WATTS.value)
    other = pc.multiply(timelines["value"], pa.array(factors))
    return _replaced(timelines, "value", pc.if_else(is_power, other, timelines["value"]))


def _replaced(table: pa.Table, name: str, values: pa.ChunkedArray) -> pa.Table:
    index = table.column_names.index(name)
    return table.set_column(index, table.schema.field(index), values)
