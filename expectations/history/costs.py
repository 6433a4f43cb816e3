"""Expected cost of a plan: the mean cost of earlier runs of its configurations.

From the mart `configuration_costs` of the current publication. The cost of configurations that were never
measured is unknown. They are counted, and their cost is never guessed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmark_tasks.errors import PublicationError
from benchmark_tasks.plan.sweep import Plan
from benchmark_tasks.settings import Settings
from expectations.publications import query

_COSTS = Path(__file__).parent / "costs.sql"


@dataclass(frozen=True)
class Estimate:
    """Sums over configurations that were measured before, and the number of those that were not.

    machine_hours, gpu_hours, energy_kwh: None if they are known of no configuration.
    unknown: configurations never measured; their hours and energy are in no sum.
    unknown_on_gpus: those of them that use GPUs.
    without_energy: configurations that were measured, but never with an energy counter.
    """

    configurations: int
    runs: int
    machine_hours: float | None
    gpu_hours: float | None
    energy_kwh: float | None
    unknown: int
    unknown_on_gpus: int
    without_energy: int

    def __str__(self) -> str:
        """In one line."""
        what = f"{_count(self.configurations, 'configuration')}, {_count(self.runs, 'run')}"
        parts = []
        known = self.configurations - self.unknown
        if self.machine_hours is not None and self.gpu_hours is not None:
            energy = "energy unknown" if self.energy_kwh is None else f"{self.energy_kwh:.3g} kWh"
            if 0 < self.without_energy < known:
                energy += f" without {self.without_energy} of them, whose energy is unknown"
            hours = f"{self.machine_hours:.2g} hours, {self.gpu_hours:.2g} GPU-hours"
            parts.append(f"{known} measured before: {hours}, {energy}")
        if self.unknown:
            parts.append(f"{self.unknown} never measured: cost unknown")
        return "; ".join([what, *parts])


def estimate(settings: Settings, plan: Plan) -> Estimate:
    """Add up the mean cost of earlier runs; everything is unknown while nothing is published."""
    costs = _costs(settings)
    configurations: set[str] = set()
    unknown: set[str] = set()
    unknown_on_gpus: set[str] = set()
    without_energy: set[str] = set()
    runs = 0
    machine_hours: list[float] = []
    gpu_hours: list[float] = []
    energy_kwh: list[float] = []
    for sweep in plan.sweeps:
        for point in sweep.points:
            key = sweep.configuration(point).configuration_id
            configurations.add(key)
            runs += point.repeats
            if key not in costs:
                unknown.add(key)
                unknown_on_gpus |= {key} if sweep.num_gpus else set()
                continue
            hours, hours_of_gpus, kwh = costs[key]
            machine_hours.append(hours * point.repeats)
            gpu_hours.append(hours_of_gpus * point.repeats)
            if kwh is None:
                without_energy.add(key)
            else:
                energy_kwh.append(kwh * point.repeats)
    return Estimate(
        configurations=len(configurations),
        runs=runs,
        machine_hours=_sum(machine_hours),
        gpu_hours=_sum(gpu_hours),
        energy_kwh=_sum(energy_kwh),
        unknown=len(unknown),
        unknown_on_gpus=len(unknown_on_gpus),
        without_energy=len(without_energy),
    )


def reason_to_ask(estimated: Estimate, limit_gpu_hours: float) -> str | None:
    """Why a person is asked before the plan is measured; None if nobody is asked.

    Unknown GPU time is always a reason, unless the limit is infinite.
    """
    if estimated.gpu_hours is not None and estimated.gpu_hours > limit_gpu_hours:
        return f"{estimated.gpu_hours:.3g} GPU-hours are above the limit of {limit_gpu_hours:g}"
    if estimated.unknown_on_gpus and math.isfinite(limit_gpu_hours):
        count = _count(estimated.unknown_on_gpus, "configuration")
        return f"the GPU time of {count} is unknown, as there is no earlier measurement"
    return None


def question(
    estimated: Estimate,
    reason: str,
    sweeps: Iterable[str],
    *,
    canaries: Iterable[str] = (),
    clear: str = "plan",
) -> tuple[str, str]:
    """The question for a person: one line, and Markdown with every sweep.

    Args:
        sweeps, canaries: labels; canaries are named if they are part of the question.
        clear: the task to clear to be asked again.
    """
    what = _list(sweeps)
    if first := _list(canaries):
        what = f"First the canaries:\n\n{first}\n\nThen, as far as these may have changed:\n\n{what}"
    body = (
        f"{estimated}.\n\nYou are asked because {reason}.\n\n{what}\n\n"
        "**Approve** measures these sweeps. **Reject**, or no answer in time, measures nothing; "
        f"clear the task `{clear}` to be asked again."
    )
    return f"Measure this? {estimated}", body


def _list(labels: Iterable[str]) -> str:
    return "\n".join(f"- `{_plain(label)}`" for label in labels)


def gpu_hours_per_run(settings: Settings) -> dict[str, float]:
    """GPU-hours of one run of each configuration that was measured before, by its id."""
    return {key: gpu_hours for key, (_, gpu_hours, _) in _costs(settings).items()}


def _sum(known: list[float]) -> float | None:
    return sum(known) if known else None


def _plain(text: str) -> str:
    """One line, without characters that would end the code span around it."""
    return "".join(char if char.isprintable() and char != "`" else "?" for char in text)


def _costs(settings: Settings) -> dict[str, tuple[float, float, float | None]]:
    """Hours, GPU-hours and kWh of one run, by configuration; empty if no publication has the mart."""
    try:
        return {row[0]: (row[1], row[2], row[3]) for row in query(settings, _COSTS.read_text()).rows}
    except PublicationError:
        return {}


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
