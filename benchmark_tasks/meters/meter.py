"""The meter contract, the meter of a machine without counters, and the recorder that samples one."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import pyarrow as pa

from benchmark_tasks.results.schema import Gpu
from benchmark_tasks.results.tables import Series
from benchmark_tasks.vocabulary import EnergySource

PERIOD_SECONDS = 0.1
"""NVML refreshes its counter and power about every 100 ms; sampling faster reads old values."""

MAXIMUM_WAIT_SECONDS = 5.0
_READINGS_BEFORE_A_MARK = 200


@dataclass(frozen=True)
class Reading:
    """One value of one series, stamped with CLOCK_MONOTONIC."""

    series: Series
    gpu_index: int | None
    at_ns: int
    value: float


class Meter(Protocol):
    """Something that can be asked for readings of the GPUs of one configuration.

    troubles: queries that failed while it was read, each with its reason once.
    """

    source: EnergySource
    absent_reason: str | None
    gpus: tuple[Gpu, ...]
    troubles: list[str]

    def read(self) -> list[Reading] | None:
        """Every series of every GPU, now; `None` if nothing could be read this time.

        Raises:
            MeterError: a device stopped answering.
        """
        ...


class NoMeter:
    """A machine without an energy counter: nothing is read and energy stays NULL."""

    source = EnergySource.NONE
    gpus: tuple[Gpu, ...] = ()

    def __init__(self, reason: str) -> None:
        self.absent_reason: str | None = reason
        self.troubles: list[str] = []

    def read(self) -> list[Reading]:
        """No readings."""
        return []


@dataclass
class Recorder:
    """Samples a meter (and anything else that returns readings) in the background.

    Use as a context manager. A reader that fails ends its own series; the failure is kept in
    `failures` and decides what happens to the energy.
    """

    meter: Meter
    period_seconds: float = PERIOD_SECONDS
    readings: list[Reading] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._stop = threading.Event()
        self._round_began_ns = 0
        self._thread = threading.Thread(target=self._loop, name="recorder", daemon=True)

    def __enter__(self) -> Recorder:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join(10)

    def mark(self) -> int:
        """A place just before now in the recording; `timeline(since=...)` starts there."""
        return max(0, len(self.readings) - _READINGS_BEFORE_A_MARK)

    def wait_past(self, at_ns: int) -> None:
        """Wait until every series has been read after an instant, so that it can be interpolated there."""
        deadline = time.monotonic() + MAXIMUM_WAIT_SECONDS
        while self._thread.is_alive() and time.monotonic() < deadline:
            if self._round_began_ns > at_ns:
                return
            self._stop.wait(self.period_seconds / 4)

    def timeline(self, origin_ns: int, since: int = 0) -> Timeline:
        """What was recorded since a mark, in seconds relative to `origin_ns`."""
        return Timeline.from_readings(self.readings[since:], origin_ns)

    def _loop(self) -> None:
        due = time.monotonic()
        while not self._stop.is_set():
            began = time.perf_counter_ns()
            try:
                read = self.meter.read()
                if read is not None:
                    # What is no number was not read: a gap, which the energy and the gate know how to judge.
                    self.readings.extend(r for r in read if math.isfinite(r.value))
                    self._round_began_ns = began
            except Exception as error:  # noqa: BLE001  a lost GPU must not kill the driver silently
                self.failures.append(f"{type(error).__name__}: {error}")
                return
            due = max(due + self.period_seconds, time.monotonic())
            self._stop.wait(due - time.monotonic())


@dataclass(frozen=True)
class Timeline:
    """Samples as columns; `seconds` since the origin that was asked for. GPU index -1: the server's."""

    series: np.ndarray
    gpu_index: np.ndarray
    seconds: np.ndarray
    values: np.ndarray

    @classmethod
    def from_readings(cls, readings: Sequence[Reading], origin_ns: int) -> Timeline:
        """Columns of readings."""
        return cls(
            series=np.array([reading.series.value for reading in readings], dtype=object),
            gpu_index=np.array(
                [-1 if reading.gpu_index is None else reading.gpu_index for reading in readings],
                dtype=np.int64,
            ),
            seconds=np.array([(reading.at_ns - origin_ns) / 1e9 for reading in readings], dtype=np.float64),
            values=np.array([reading.value for reading in readings], dtype=np.float64),
        )

    @classmethod
    def from_table(cls, table: pa.Table) -> Timeline:
        """Columns of a bundle's `timelines.parquet`."""
        series = table["series"].combine_chunks().dictionary_encode()  # few names, thousands of readings
        names = np.array(series.dictionary.to_pylist(), dtype=object)
        return cls(
            series=names[series.indices.to_numpy()],
            gpu_index=table["gpu_index"].fill_null(-1).to_numpy(),
            seconds=table["seconds"].to_numpy(),
            values=table["value"].to_numpy(),
        )

    def of(self, series: Series, gpu_index: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """(seconds, values) of one series, of one GPU or of all."""
        mask = self.series == series.value
        if gpu_index is not None:
            mask &= self.gpu_index == gpu_index
        return self.seconds[mask], self.values[mask]

    def mean(self, series: Series) -> float | None:
        """Mean of all samples of a series; `None` when there is none."""
        _, values = self.of(series)
        return float(values.mean()) if len(values) else None

    def gpu_indices(self) -> list[int]:
        """GPUs that appear, in order."""
        return sorted({int(i) for i in self.gpu_index if i >= 0})

    def between(self, start: float, end: float) -> Timeline:
        """The samples in [start, end]."""
        mask = (self.seconds >= start) & (self.seconds <= end)
        return Timeline(self.series[mask], self.gpu_index[mask], self.seconds[mask], self.values[mask])

    def rows(self) -> list[dict[str, object]]:
        """Rows of `timelines.parquet` (see `results.tables.TIMELINES`)."""
        return [
            {"series": s, "gpu_index": None if g < 0 else int(g), "seconds": float(t), "value": float(v)}
            for s, g, t, v in zip(self.series, self.gpu_index, self.seconds, self.values, strict=True)
        ]
