"""Energy of a window from a made-up NVML whose counter is broken: none, and the reason."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from math import inf
from typing import Any

import pytest

from benchmark_tasks.measuring.instruments import device_during, phase, with_energy
from benchmark_tasks.meters.meter import Recorder
from benchmark_tasks.meters.zeus_meter import ZeusMeter
from benchmark_tasks.results.schema import Phase, Window
from benchmark_tasks.testing.nvml import ENERGY, LOST, MadeUpGpu, MadeUpNvml

SECONDS = 1.2
WINDOW = Window(settled=True, start_seconds=0.1, end_seconds=SECONDS - 0.1, output_tokens=1)


def measured(nvml: MadeUpNvml, during: list[MadeUpGpu]) -> tuple[Window, str | None, Phase]:
    """What a window and a phase have if the GPUs are like this from the first reading on.

    A `jump_at` counts from the start of the phase, in seconds.
    """
    with Recorder(ZeusMeter(range(len(during))), period_seconds=0.02) as devices:
        nvml.answer([replace(gpu, jump_at=inf) for gpu in during])
        devices.wait_past(time.perf_counter_ns())  # a reading lies before the start
        start = time.perf_counter_ns()
        nvml.answer([replace(gpu, jump_at=time.monotonic() + gpu.jump_at) for gpu in during])
        devices.wait_past(start + int(SECONDS * 1e9))
        whole = phase("measure", start, start + int(SECONDS * 1e9), devices)
        window, reason = with_energy(WINDOW, devices.timeline(start), devices)
        return window, reason, whole


def test_a_sound_counter_gives_energy(nvml: MadeUpNvml) -> None:
    nvml.answer([MadeUpGpu(), MadeUpGpu(watts=100)])
    window, reason, whole = measured(nvml, [MadeUpGpu(), MadeUpGpu(watts=100)])
    assert reason is None and window.energy is not None
    inside = SECONDS - 0.2
    assert window.energy.counter_joules_per_gpu == pytest.approx((400 * inside, 100 * inside), rel=0.25)
    assert whole.joules == pytest.approx(500 * SECONDS, rel=0.25)


SOUND = MadeUpGpu()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"frozen_at": 1.0}, "energy counter of GPU 1 (counted 0 J|went backwards)"),
        ({"scale": 3.0}, "energy counter of GPU 1 (counted|jumped)"),
        ({"scale": 0.2}, "energy counter of GPU 1 (counted|went backwards)"),
        ({"offset_joules": 1e9, "scale": -1.0}, "energy counter of GPU 1 went backwards"),
        ({"wraps_at_joules": 20.0}, "energy counter of GPU 1 went backwards"),
        ({"jump_joules": 5000.0, "jump_at": SECONDS / 2}, "energy counter of GPU 1 (counted|jumped by)"),
        ({"errors": {ENERGY: 10}}, "GPU 1.*get_total_energy_consumption"),
        ({"errors": {ENERGY: LOST}}, "GPU 1 stopped answering"),
    ],
)
def test_a_broken_counter_of_one_gpu_gives_none_and_the_reason(
    nvml: MadeUpNvml, change: dict[str, Any], reason: str
) -> None:
    for _ in range(5):
        if "frozen_at" in change:
            change = {"frozen_at": time.monotonic()}
        nvml.answer([SOUND, SOUND])
        window, said, whole = measured(nvml, [SOUND, replace(SOUND, **change)])
        if said is None or "was not read" not in said:  # as on a machine that was too busy to read
            break
    assert window.energy is None and whole.joules is None
    assert said is not None and re.search(reason, said)


def test_of_two_gpus_one_of_which_is_silent_the_device_says_nothing(nvml: MadeUpNvml) -> None:
    silent = MadeUpGpu(errors={"nvmlDeviceGetTemperatureV": 3})
    nvml.answer([SOUND, silent])
    with Recorder(ZeusMeter([0, 1]), period_seconds=0.02) as devices:
        start = time.perf_counter_ns()
        devices.wait_past(start + int(SECONDS * 1e9))
        device = device_during(devices.timeline(start), WINDOW)
    assert (device.temperature_max_celsius, device.sm_clock_median_mhz) == (None, 1980)
    assert device.throttle_reasons == ()
