"""What one sweep carries while it is measured, and what a measured point gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from benchmark_tasks.catalog import Catalog, Model
from benchmark_tasks.meters.meter import Meter, Timeline
from benchmark_tasks.plan.procedure import Procedure
from benchmark_tasks.plan.sweep import Sweep
from benchmark_tasks.results import bundle
from benchmark_tasks.results.identity import Load
from benchmark_tasks.results.schema import (
    Arrivals,
    Client,
    Device,
    Grades,
    Latency,
    Phase,
    Requests,
    Sample,
    Server,
    Sleep,
    StandIn,
    Window,
)
from benchmark_tasks.results.store import Store
from benchmark_tasks.runtimes.weights_folder import WeightsFolder
from benchmark_tasks.signing import Signer


@dataclass(frozen=True)
class Installed:
    """What the runtime consists of: packages with versions, and the container's image if it runs in one."""

    packages: Mapping[str, str]
    image: str | None


NOT_INSTALLED = Installed({}, None)
"""Before the runtime was installed."""


@dataclass
class RunningSweep:
    """A sweep while it is measured: what stays the same meanwhile, and how far it is.

    weights: the folder of real weights, if they come from one.
    request_set_id: of the requests of a load.
    command, environment: what was started last, and what is recorded of its variables.
    stand_in: the weights that it drew.
    signer: signs what is landed; `None`: bundles are unsigned.
    during, begun: the phase it is in, and since when.
    lines: `driver.log`, so far.
    """

    sweep: Sweep
    procedure: Procedure
    catalog: Catalog
    model: Model
    weights: WeightsFolder | None
    request_set_id: Callable[[Load], str]
    installed: Installed
    meter: Meter
    gpu_indices: tuple[int, ...]
    lock_mark: str
    scratch: Path
    store: Store
    say: Callable[[str], None]
    lines: list[str] = field(default_factory=list)
    command: tuple[str, ...] = ()
    stand_in: StandIn | None = None
    signer: Signer | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    during: Literal["server-start", "load"] = "server-start"
    begun: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def log(self) -> Path:
        """What the runtime's process wrote."""
        return self.scratch / bundle.SERVER_LOG

    def require_weights_as_read(self) -> None:
        """Once they are loaded: check that the weights in a folder are still those that were identified.

        Raises:
            WeightsNotAsAsked: a file has changed.
        """
        if self.weights is not None:
            self.weights.require_unchanged()

    def begin(self, during: Literal["server-start", "load"]) -> None:
        """Enter a phase: a failure from now on belongs to it and lasted since now."""
        self.during, self.begun = during, datetime.now(UTC)

    def note(self, line: str) -> None:
        """One line of driver.log."""
        self.lines.append(f"{datetime.now(UTC):%H:%M:%S} {line}")

    def tell(self, line: str) -> None:
        """One line of progress, to the person and to driver.log."""
        self.note(line)
        self.say(line)


@dataclass(frozen=True)
class PointResult:
    """What was measured at a point: what a completed run adds to what every run has.

    files: copied into the bundle by name.
    answer_rows: of `answers.parquet`; `None` where none are kept or graded.
    """

    requests: Requests
    window_steady: Window
    energy_absent_reason: str | None
    latency: Latency | None
    device: Device
    server: Server
    phases: tuple[Phase, ...]
    request_rows: list[dict[str, object]]
    timeline: Timeline
    window_mlenergy: Window | None = None
    sample: Sample | None = None
    client: Client | None = None
    arrivals: Arrivals | None = None
    files: Mapping[str, Path] = field(default_factory=dict)
    answer_rows: list[dict[str, object]] | None = None
    grades: Grades | None = None
    sleeps: tuple[Sleep, ...] = ()
