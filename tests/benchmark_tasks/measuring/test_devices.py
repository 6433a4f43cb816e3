"""What the GPUs draw while nothing runs."""

from __future__ import annotations

import time

from benchmark_tasks.measuring.devices import idle_watts
from benchmark_tasks.meters.meter import NoMeter, Reading, Recorder
from benchmark_tasks.results.tables import Series
from benchmark_tasks.testing.replay_meter import ReplayMeter
from benchmark_tasks.testing.waiting import until


class TwoGpus(ReplayMeter):
    """Each GPU draws what it is told to."""

    def __init__(self) -> None:
        super().__init__(gpu_count=2)
        self.watts = (500.0, 500.0)

    def read(self) -> list[Reading]:
        at_ns = time.perf_counter_ns()
        return [Reading(Series.POWER_WATTS, gpu, at_ns, watts) for gpu, watts in enumerate(self.watts)]


def test_idle_power_is_told_by_gpu_and_without_what_was_before() -> None:
    meter = TwoGpus()
    with Recorder(meter, 0.01) as devices:
        until(lambda: len(devices.readings) > 10, 10, "some readings under load")
        meter.watts = (80.0, 420.0)
        assert idle_watts(devices, 0.05) == (80.0, 420.0)


def test_without_a_meter_there_is_no_idle_power() -> None:
    with Recorder(NoMeter("none here")) as devices:
        assert idle_watts(devices, 0.05) is None
