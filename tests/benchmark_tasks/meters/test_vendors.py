"""A second GPU vendor: one object and its place in the list; machine, meter and container follow."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from benchmark_tasks.errors import MeterError
from benchmark_tasks.host import machine
from benchmark_tasks.meters import vendors
from benchmark_tasks.meters.vendor import Driver, GpuVendor, Query
from benchmark_tasks.meters.vendors import vendor_here
from benchmark_tasks.meters.zeus_meter import ZeusMeter
from benchmark_tasks.results.schema import Gpu
from benchmark_tasks.results.tables import Series
from benchmark_tasks.vocabulary import EnergySource


class Device:
    """A GPU as Zeus has it."""

    def supports_get_total_energy_consumption(self) -> bool:
        return True

    def get_total_energy_consumption(self) -> float:
        return 5000.0

    def get_instant_power_usage(self) -> float:
        return 300_000.0

    def get_gpu_temperature(self) -> int:
        return 60


def queries(device: Any) -> tuple[Query, ...]:
    return (Query(Series.SM_CLOCK_MHZ, "other_get_clock", lambda: 2100.0),)


def container_arguments(client: str, indices: Sequence[int]) -> tuple[str, ...]:
    return ("--device", "/dev/kfd")


OTHER = GpuVendor(
    name="Other",
    energy_source=EnergySource.REPLAY,
    visible_variable="OTHER_VISIBLE_DEVICES",
    driver=lambda: Driver(2),
    driver_versions=lambda: ("7.0", None),
    open=lambda index: Device(),
    describe=lambda index, device, asked: Gpu(
        index=index, name="Other One", uuid=f"u-{index}", vbios=None, memory_bytes=1, power_limit_watts=750.0
    ),
    queries=queries,
    throttle_names=lambda bits: (),
    container_arguments=container_arguments,
)


@pytest.fixture
def other(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with two GPUs of the second vendor and none of the first."""
    without_gpu = replace(vendors.VENDORS[0], driver=Driver)
    monkeypatch.setattr(vendors, "VENDORS", (without_gpu, OTHER))


@pytest.mark.usefixtures("other")
def test_its_gpus_are_this_machines() -> None:
    assert vendor_here() is OTHER
    visible = machine.instruments({"OTHER_VISIBLE_DEVICES": "1", "CUDA_VISIBLE_DEVICES": "7"}).measurable
    assert [gpu.gpu.name for gpu in visible if gpu.gpu] == ["Other One"]
    assert machine.visible_indices({"OTHER_VISIBLE_DEVICES": "1", "CUDA_VISIBLE_DEVICES": "7"}) == (1,)


@pytest.mark.usefixtures("other")
def test_its_energy_is_read_through_zeus_and_the_rest_through_it() -> None:
    meter = ZeusMeter([1])
    assert (meter.source, [gpu.uuid for gpu in meter.gpus]) == (OTHER.energy_source, ["u-1"])
    assert {reading.series: reading.value for reading in meter.read()} == {
        Series.ENERGY_COUNTER_JOULES: 5.0,
        Series.POWER_WATTS: 300.0,
        Series.TEMPERATURE_CELSIUS: 60.0,
        Series.SM_CLOCK_MHZ: 2100.0,
    }


@pytest.mark.usefixtures("other")
def test_a_missing_library_is_told_with_the_vendors_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zeus.device.gpu", None)
    with pytest.raises(MeterError, match="Zeus, which reads Other GPUs, cannot be used"):
        ZeusMeter([0])


def test_where_no_driver_shows_a_gpu_it_is_the_first() -> None:
    assert vendor_here() is vendors.VENDORS[0]
