"""One contract for every meter: replayed, Zeus on a made-up NVML, and Zeus where there is a GPU."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import pytest

from benchmark_tasks.errors import MeterError
from benchmark_tasks.meters.energy import energy_between
from benchmark_tasks.meters.host_meter import HostMeter
from benchmark_tasks.meters.meter import Meter, NoMeter, Recorder
from benchmark_tasks.meters.nvml import throttle_names
from benchmark_tasks.meters.zeus_meter import ZeusMeter, meter_for
from benchmark_tasks.results.tables import Series
from benchmark_tasks.testing.nvml import MadeUpGpu
from benchmark_tasks.testing.replay_meter import ReplayMeter
from benchmark_tasks.vocabulary import EnergySource


@pytest.fixture(params=["replay", "zeus on a made-up NVML", "zeus"])
def meter(request: pytest.FixtureRequest) -> Meter:
    if request.param == "replay":
        return ReplayMeter(lambda seconds: 300 + 10 * seconds)
    if request.param != "zeus":
        request.getfixturevalue("nvml").answer([MadeUpGpu(), MadeUpGpu(watts=300)])
        return ZeusMeter([1, 0])
    try:
        return ZeusMeter([0])
    except MeterError as error:
        pytest.skip(f"no GPU to meter here: {error}")


def test_reads_every_series_of_every_gpu(meter: Meter) -> None:
    expected = {
        Series.ENERGY_COUNTER_JOULES,
        Series.POWER_WATTS,
        Series.TEMPERATURE_CELSIUS,
        Series.SM_CLOCK_MHZ,
        Series.MEMORY_CLOCK_MHZ,
        Series.THROTTLE_REASON_BITS,
    }
    before = time.perf_counter_ns()
    readings = meter.read()
    assert {(r.series, r.gpu_index) for r in readings} == {(s, g.index) for s in expected for g in meter.gpus}
    assert all(before <= r.at_ns <= time.perf_counter_ns() for r in readings)


def test_counter_and_integral_agree_over_a_recording(meter: Meter) -> None:
    with Recorder(meter, period_seconds=0.05) as recorder:
        start = time.perf_counter_ns()
        recorder.wait_past(start + 1_500_000_000)
    energy = energy_between(recorder.timeline(start), 0.2, 1.2)
    assert energy.counter_joules > 0
    # one second is ten refreshes of the real counter: the certificate proper needs a real window
    assert energy.counter_joules == pytest.approx(energy.integral_joules, rel=0.25)


def test_a_lost_gpu_ends_the_recording_and_is_remembered() -> None:
    with Recorder(ReplayMeter(lost_after_seconds=0.2), period_seconds=0.02) as recorder:
        recorder.wait_past(time.perf_counter_ns() + 400_000_000)
    assert "GPU is lost" in recorder.failures[0]
    with pytest.raises(MeterError, match="not read throughout"):
        energy_between(recorder.timeline(recorder.readings[0].at_ns), 0.05, 0.35)


def test_without_a_gpu_there_is_a_reason_and_no_reading() -> None:
    meter = meter_for([])
    assert meter.source is EnergySource.NONE and meter.absent_reason and meter.read() == []


@pytest.mark.parametrize(("module", "open_meter"), [("gpu", lambda: ZeusMeter([0])), ("cpu", HostMeter)])
def test_a_machine_without_the_libraries_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, module: str, open_meter: Callable[[], object]
) -> None:
    monkeypatch.setitem(sys.modules, f"zeus.device.{module}", None)
    with pytest.raises(MeterError, match=f"cannot be used: .*zeus.device.{module}"):
        open_meter()


def test_a_gpu_that_does_not_exist_gives_no_meter_but_a_reason() -> None:
    meter = meter_for([99])
    assert isinstance(meter, NoMeter) and "GPU 99: there is no such GPU" in str(meter.absent_reason)


def test_throttle_bits_have_names() -> None:
    assert throttle_names(0x1 | 0x4 | 0x40) == ("sw_power_cap", "hw_thermal_slowdown")
