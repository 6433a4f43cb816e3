"""Each query is asked once before a load: what is not answered is named, or stops the measurement."""

from __future__ import annotations

import time

import pytest

from benchmark_tasks.errors import MeterError
from benchmark_tasks.meters.meter import Recorder
from benchmark_tasks.meters.nvml import NVIDIA
from benchmark_tasks.meters.probe import probe
from benchmark_tasks.meters.zeus_meter import ZeusMeter
from benchmark_tasks.results.tables import Series
from benchmark_tasks.testing.nvml import (
    ENERGY,
    LOST,
    NO_PERMISSION,
    NOT_SUPPORTED,
    POWER,
    MadeUpGpu,
    MadeUpNvml,
)

ALL_SERIES = {
    Series.ENERGY_COUNTER_JOULES,
    Series.POWER_WATTS,
    Series.TEMPERATURE_CELSIUS,
    Series.SM_CLOCK_MHZ,
    Series.MEMORY_CLOCK_MHZ,
    Series.THROTTLE_REASON_BITS,
}
ANY_ERROR = (NOT_SUPPORTED, NO_PERMISSION, 10, 13, 999)

DISPENSABLE = {
    "nvmlDeviceGetTemperatureV": {Series.TEMPERATURE_CELSIUS},
    "nvmlDeviceGetClockInfo": {Series.SM_CLOCK_MHZ, Series.MEMORY_CLOCK_MHZ},
    "nvmlDeviceGetCurrentClocksEventReasons": {Series.THROTTLE_REASON_BITS},
    "nvmlDeviceGetMemoryInfo": set(),
    "nvmlDeviceGetPowerManagementLimit": set(),
    "nvmlDeviceGetVbiosVersion": set(),
    POWER: set(),  # there are two other ways to ask for it
}


@pytest.mark.parametrize("code", ANY_ERROR)
@pytest.mark.parametrize("query", DISPENSABLE)
def test_what_a_gpu_cannot_say_is_empty_and_named(nvml: MadeUpNvml, query: str, code: int) -> None:
    nvml.answer([MadeUpGpu(errors={query: code})])
    meter = ZeusMeter([0])
    assert {reading.series for reading in meter.read()} == ALL_SERIES - DISPENSABLE[query]
    (gpu,) = meter.gpus
    named = {line.split(": ")[0] for line in gpu.unanswered}
    fields = {name for name in ("memory_bytes", "power_limit_watts", "vbios") if getattr(gpu, name) is None}
    silent = {series.value for series in DISPENSABLE[query]} | fields
    assert named == silent or (query == POWER and named == {"power_watts"})
    assert gpu.unanswered


INDISPENSABLE = {
    "nvmlDeviceGetName": "does not say which GPU it is: nvmlDeviceGetName",
    "nvmlDeviceGetUUID": "does not say which GPU it is: nvmlDeviceGetUUID",
    ENERGY: "energy counter cannot be read: get_total_energy_consumption",
    "nvmlDeviceGetHandleByIndex_v2": "cannot be used",
    "nvmlDeviceGetMigMode": "does not say whether MIG is enabled",
}


@pytest.mark.parametrize("code", (NO_PERMISSION, LOST, 999))
@pytest.mark.parametrize("query", INDISPENSABLE)
def test_what_is_indispensable_stops_before_the_load(nvml: MadeUpNvml, query: str, code: int) -> None:
    nvml.answer([MadeUpGpu(), MadeUpGpu(errors={query: code})])
    with pytest.raises(MeterError, match=f"GPU 1.*{INDISPENSABLE[query]}"):
        ZeusMeter([0, 1])
    assert len(ZeusMeter([0]).read()) == len(ALL_SERIES), "the other one can be measured"


def test_power_comes_from_any_query_that_answers(nvml: MadeUpNvml) -> None:
    every = dict.fromkeys((POWER, "nvmlFieldPowerAverage", "nvmlDeviceGetPowerUsage"), NOT_SUPPORTED)
    for last in every:
        nvml.answer([MadeUpGpu(errors={name: code for name, code in every.items() if name != last})])
        assert [r.value for r in ZeusMeter([0]).read() if r.series is Series.POWER_WATTS] == [400.0]
    nvml.answer([MadeUpGpu(errors=every)])
    with pytest.raises(MeterError, match=r"its power cannot be read: get_instant_power_usage: .*PowerUsage"):
        ZeusMeter([0])


def test_without_mig_and_vgpu_support_it_is_an_ordinary_gpu(nvml: MadeUpNvml) -> None:
    unsupported = dict.fromkeys(
        ("nvmlDeviceGetMigMode", "nvmlDeviceGetVirtualizationMode", "nvmlDeviceGetC2cModeInfoV"),
        NOT_SUPPORTED,
    )
    nvml.answer([MadeUpGpu(errors=unsupported)])
    assert probe(NVIDIA).problems == ""


def test_a_query_that_fails_for_a_while_is_a_gap_and_not_a_lost_gpu(nvml: MadeUpNvml) -> None:
    meter = ZeusMeter([0])
    nvml.answer([MadeUpGpu(errors={"nvmlDeviceGetClockInfo": 999, ENERGY: 10})])
    silent = {Series.SM_CLOCK_MHZ, Series.MEMORY_CLOCK_MHZ, Series.ENERGY_COUNTER_JOULES}
    for _ in range(2):
        assert {reading.series for reading in meter.read()} == ALL_SERIES - silent
    assert len(meter.troubles) == len(silent), "each is told once"
    assert any("get_total_energy_consumption" in line for line in meter.troubles)
    nvml.answer([MadeUpGpu()])
    assert {reading.series for reading in meter.read()} == ALL_SERIES


def test_a_gpu_that_is_lost_ends_the_recording(nvml: MadeUpNvml) -> None:
    with Recorder(ZeusMeter([0]), period_seconds=0.01) as recorder:
        recorder.wait_past(time.perf_counter_ns())
        nvml.answer([MadeUpGpu(errors={ENERGY: LOST})])
        recorder.wait_past(time.perf_counter_ns() + 10**10)
    assert recorder.failures == [
        "MeterError: GPU 0 stopped answering: get_total_energy_consumption: GPU is lost"
    ]
