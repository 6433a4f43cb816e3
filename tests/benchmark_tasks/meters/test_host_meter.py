"""CPU and DRAM energy from RAPL, on a tree of counters like the kernel's."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark_tasks.errors import MeterError
from benchmark_tasks.meters.energy import energy_between, host_joules
from benchmark_tasks.meters.host_meter import HostMeter, WithHost, with_host
from benchmark_tasks.meters.meter import NoMeter, Timeline
from benchmark_tasks.results.tables import Series
from benchmark_tasks.testing.powercap import add_zone, set_joules
from benchmark_tasks.testing.replay_meter import ReplayMeter


def joules(meter: HostMeter) -> dict[Series, float]:
    return {reading.series: reading.value for reading in meter.read()}


def test_packages_are_summed_and_dram_counts_only_if_all_have_it(powercap: Path) -> None:
    first, second = (add_zone(powercap / f"intel-rapl:{i}", f"package-{i}") for i in range(2))
    memory = add_zone(first / "intel-rapl:0:0", "dram")
    set_joules(first, 100)
    set_joules(second, 50)
    assert joules(HostMeter()) == {Series.CPU_COUNTER_JOULES: 150}
    set_joules(memory, 5)
    set_joules(add_zone(second / "intel-rapl:1:0", "dram"), 6)
    assert joules(HostMeter()) == {Series.CPU_COUNTER_JOULES: 150, Series.DRAM_COUNTER_JOULES: 11}


def test_a_counter_that_wraps_goes_on(powercap: Path) -> None:
    package = add_zone(powercap / "intel-rapl:0", "package-0", range_joules=1000)
    set_joules(package, 990)
    meter = HostMeter()
    seen = []
    for value in (990, 15, 400, 5):
        set_joules(package, value)
        seen.append(joules(meter)[Series.CPU_COUNTER_JOULES])
    assert seen == [990, 1015, 1400, 2005]


def test_a_host_without_counters_changes_nothing(powercap: Path) -> None:
    meter = ReplayMeter()
    assert with_host(meter) is meter
    with pytest.raises(MeterError, match="no RAPL counter"):
        HostMeter()


def test_a_host_that_stops_answering_ends_its_own_series_only(powercap: Path) -> None:
    package = add_zone(powercap / "intel-rapl:0", "package-0")
    now = {"ns": 0}
    meter = with_host(ReplayMeter(now_ns=lambda: now["ns"]))
    assert isinstance(meter, WithHost)
    readings = []
    for tenth in range(100):
        now["ns"] = tenth * 100_000_000
        set_joules(package, tenth * 20)
        if tenth == 60:
            (package / "energy_uj").unlink()
        readings += [type(one)(one.series, one.gpu_index, now["ns"], one.value) for one in meter.read()]
    line = Timeline.from_readings(readings, 0)
    assert host_joules(line, Series.CPU_COUNTER_JOULES, 1, 5) == pytest.approx(800)
    assert host_joules(line, Series.CPU_COUNTER_JOULES, 1, 8) is None, "not read throughout"
    assert host_joules(line, Series.DRAM_COUNTER_JOULES, 1, 5) is None
    assert energy_between(line, 1, 9).counter_joules == pytest.approx(400 * 8)


def test_cpu_energy_is_there_without_a_gpu_too(powercap: Path) -> None:
    add_zone(powercap / "intel-rapl:0", "package-0")
    meter = with_host(NoMeter("none here"))
    assert meter.absent_reason == "none here" and meter.gpus == ()
    assert [reading.series for reading in meter.read()] == [Series.CPU_COUNTER_JOULES]
