"""Which GPUs are held, and what they draw while nothing runs."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from benchmark_tasks import catalog
from benchmark_tasks.errors import MeterError
from benchmark_tasks.measuring.devices import are_held, hold_for, idle_watts, meter_of, require_gpus
from benchmark_tasks.meters.meter import NoMeter, Reading, Recorder
from benchmark_tasks.plan.sweep import Sweep, SweepPoint
from benchmark_tasks.results.tables import Series
from benchmark_tasks.testing.nvml import MadeUpGpu, MadeUpNvml, uuid_of
from benchmark_tasks.testing.replay_meter import ReplayMeter
from benchmark_tasks.testing.waiting import until

SWEEP = Sweep(
    model_id="org/model",
    weight_precision="bfloat16",
    task="lm-arena-chat",
    gpu_model="H100",
    num_gpus=1,
    runtime="vllm",
    runtime_version="0.32.0",
    distribution="vllm",
    weights="dummy",
    points=(SweepPoint(batch_size=1),),
)


def test_gpus_that_are_named_are_held_if_they_are_here_and_free(tmp_path: Path, nvml: MadeUpNvml) -> None:
    nvml.answer([MadeUpGpu()] * 3)
    with hold_for([SWEEP], tmp_path, [uuid_of(2)]) as held:
        assert held[0] == (2,) and are_held([uuid_of(2)], held) and not are_held([uuid_of(1)], held)
        with hold_for([SWEEP], tmp_path, [uuid_of(2)]) as other:
            assert other[0] == (0,) and not are_held([uuid_of(2)], other)
    with hold_for([SWEEP], tmp_path, [uuid_of(7)]) as held:
        assert held[0] == (0,) and not are_held([uuid_of(7)], held)


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


def test_one_gpu_under_two_indices_is_not_measured_twice(nvml: MadeUpNvml) -> None:
    nvml.answer([MadeUpGpu(uuid=uuid_of(0)), MadeUpGpu(uuid=uuid_of(0))])
    both = SWEEP.model_copy(update={"num_gpus": 2})
    meter = meter_of(both, (0, 1))
    with pytest.raises(MeterError, match="GPU 0 and GPU 1 have one UUID"):
        require_gpus(both, (0, 1), catalog.load(), meter)
