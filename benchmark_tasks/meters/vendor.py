"""What a maker of GPUs has to say of its own: the contract of `nvml.py`, and of the next vendor's file.

Zeus's device layer reads energy, power and temperature of every vendor it knows. The rest is here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmark_tasks.results.schema import Gpu
from benchmark_tasks.results.tables import Series
from benchmark_tasks.vocabulary import EnergySource


@dataclass(frozen=True)
class GpuVendor:
    """One vendor's driver library.

    name: as a person calls it ("NVIDIA").
    energy_source: the instrument behind the energy counter.
    visible_variable: environment variable that lists the GPUs a process may use, by index.
    names: name of every GPU of this machine as the driver gives it; empty without a driver.
    driver_versions: (driver, its compute library) as the driver reports them; `None` where unknown.
    describe: (index, Zeus device) to the record of a GPU.
    series: of a Zeus device, what Zeus does not read: a series and how to ask for its value.
    throttle_names: names of the set bits of `Series.THROTTLE_REASON_BITS`, idle left out.
    container_arguments: (client, GPU indices) to the options of `docker run` or `podman run`.
    """

    name: str
    energy_source: EnergySource
    visible_variable: str
    names: Callable[[], list[str]]
    driver_versions: Callable[[], tuple[str | None, str | None]]
    describe: Callable[[int, Any], Gpu]
    series: Callable[[Any], tuple[tuple[Series, Callable[[], float]], ...]]
    throttle_names: Callable[[int], tuple[str, ...]]
    container_arguments: Callable[[str, Sequence[int]], tuple[str, ...]]
