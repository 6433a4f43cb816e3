"""A meter that replays a made-up curve of power, with the faults of a real one."""

from __future__ import annotations

import time
from collections.abc import Callable

from benchmark_tasks.errors import MeterError
from benchmark_tasks.meters.meter import Reading
from benchmark_tasks.results.schema import Gpu
from benchmark_tasks.results.tables import Series
from benchmark_tasks.vocabulary import EnergySource


class ReplayMeter:
    """Plays `watts(seconds since start)`; the counter is its integral.

    `lost_after_seconds`: from then on reading fails, like a GPU that fell off the bus.
    `reset_every_seconds`: the counter keeps starting again at zero, like after driver reloads.
    """

    source = EnergySource.REPLAY
    absent_reason: str | None = None

    def __init__(
        self,
        watts: Callable[[float], float] = lambda seconds: 400.0,
        *,
        gpu_count: int = 1,
        lost_after_seconds: float | None = None,
        reset_every_seconds: float | None = None,
        now_ns: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        self._watts, self._now_ns = watts, now_ns
        self._lost, self._reset = lost_after_seconds, reset_every_seconds
        self._start_ns = self._last_ns = now_ns()
        self._joules = 0.0
        self.troubles: list[str] = []
        self._next_reset = reset_every_seconds or 0.0
        self.gpus = tuple(
            Gpu(
                index=i,
                name="Replay",
                uuid=f"GPU-replay-{i}",
                vbios=None,
                memory_bytes=0,
                power_limit_watts=700.0,
            )
            for i in range(gpu_count)
        )

    def read(self) -> list[Reading]:
        """Every series of every GPU, now."""
        now = self._now_ns()
        seconds = (now - self._start_ns) / 1e9
        if self._lost is not None and seconds >= self._lost:
            raise MeterError("a GPU stopped answering: GPU is lost")
        watts = self._watts(seconds)
        self._joules += watts * (now - self._last_ns) / 1e9
        self._last_ns = now
        if self._reset is not None and seconds >= self._next_reset:
            self._joules, self._next_reset = 0.0, seconds + self._reset
        values = {
            Series.ENERGY_COUNTER_JOULES: self._joules,
            Series.POWER_WATTS: watts,
            Series.TEMPERATURE_CELSIUS: 50.0,
            Series.SM_CLOCK_MHZ: 1980.0,
            Series.MEMORY_CLOCK_MHZ: 3201.0,
            Series.THROTTLE_REASON_BITS: 0.0,
        }
        return [Reading(s, gpu.index, now, v) for gpu in self.gpus for s, v in values.items()]
