"""What a maker of GPUs has to say of its own: the contract of `nvml.py`, and of the next vendor's file.

Zeus's device layer reads energy, power and temperature of every vendor it knows. The rest is here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from benchmark_tasks.results.schema import Gpu
from benchmark_tasks.results.tables import Series
from benchmark_tasks.vocabulary import EnergySource

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Driver:
    """What a vendor's driver shows.

    count: how many GPUs; their indices are 0 to `count` - 1.
    problem: why no GPU can be read although the driver or a device is here; `None` where all is well, and
        where there plainly is none.
    """

    count: int = 0
    problem: str | None = None


@dataclass(frozen=True)
class Query:
    """One thing to ask a device for, time and again: a series, the query's name, and how to ask."""

    series: Series
    name: str
    read: Callable[[], float]


@dataclass
class Interview:
    """Asks one GPU. A query that it does not answer gives `None`, and its name stands in `unanswered`."""

    unanswered: list[str] = field(default_factory=list)

    def ask(self, what: str, query: str, read: Callable[[], Answer]) -> Answer | None:
        """The answer; what: the field or series that stays empty without it."""
        try:
            return read()
        except Exception as error:  # noqa: BLE001  whatever a driver says, it is no answer to this query
            self.unanswered.append(f"{what}: {query}: {error or type(error).__name__}")
            return None


@dataclass(frozen=True)
class GpuVendor:
    """One vendor's driver library.

    name: as a person calls it ("NVIDIA").
    energy_source: the instrument behind the energy counter.
    visible_variable: environment variable that lists the GPUs a process may use.
    order_variables: environment variables that make an index in it mean the same GPU as for the driver.
    place_variables: environment variables that say where its libraries and caches are; a runtime gets them.
    changing_variables: beginnings of names of environment variables that change what its libraries do.
    driver: what the driver shows.
    driver_versions: (driver, its compute library) as the driver reports them; `None` where unknown.
    open: index to Zeus device; raises what Zeus raises.
    close: undoes one `open`.
    refusal: why a Zeus device must not be measured (its counter counts more than one's own work); `None`
        if it may be.
    describe: the record of a GPU that Zeus has opened; `None` where name or UUID stay unanswered.
    queries: of a Zeus device, what Zeus does not read.
    throttle_names: names of the set bits of `Series.THROTTLE_REASON_BITS`, idle left out.
    container_arguments: (client, GPU indices) to the options of `docker run` or `podman run`.
    """

    name: str
    energy_source: EnergySource
    visible_variable: str
    driver: Callable[[], Driver]
    driver_versions: Callable[[], tuple[str | None, str | None]]
    open: Callable[[int], Any]
    describe: Callable[[int, Any, Interview], Gpu | None]
    queries: Callable[[Any], tuple[Query, ...]]
    throttle_names: Callable[[int], tuple[str, ...]]
    container_arguments: Callable[[str, Sequence[int]], tuple[str, ...]]
    close: Callable[[], None] = lambda: None
    refusal: Callable[[Any], str | None] = lambda device: None
    order_variables: Mapping[str, str] = field(default_factory=dict)
    place_variables: tuple[str, ...] = ()
    changing_variables: tuple[str, ...] = ()
