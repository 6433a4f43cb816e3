"""The lanes that measuring tasks run in: one per number of GPUs and GPU model of the fleet.

`[jouleboard] measure_executor` in Airflow's configuration names the executor that reaches the GPU hosts; by
default it is the scheduler's own. `[jouleboard] measure_queue` sends measurements without a GPU there, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmark_tasks.errors import SettingsError
from benchmark_tasks.results.identity import NO_GPU
from jouleboard_airflow.gpu_hosts import describe_fleet, read_fleet

CPU_POOL = "cpu"
_CANARY_WEIGHT = 100
"""`priority_weight` of canaries: before every other measurement of any release. The others have 1."""


@dataclass(frozen=True)
class Lane:
    """One measuring task of a DAG: which sweeps it measures, which pool slots it holds, and where it runs.

    All instances of a mapped task share slots, queue and priority: hence one lane per combination of these.
    """

    gpu_model: str
    num_gpus: int
    pool: str
    queue: str
    executor: str | None
    canaries: bool = False

    @property
    def task_id(self) -> str:
        """`measure_on_cpu`, `measure_on_2x_h200`, `measure_canaries_on_1x_h200`."""
        return f"measure{'_canaries' if self.canaries else ''}_on_{self._where}"

    def compare_id(self, again: bool) -> str:
        """`measure_canaries_in_turns_on_1x_h200`; in the second round `measure_canaries_again_on_1x_h200`."""
        return f"measure_canaries_{_round(again)}_on_{self._where}"

    def choose_canaries_id(self, again: bool) -> str:
        """Id of the task that chooses this lane's canaries from a round."""
        return f"canaries_{_round(again)}_for_{self._where}"

    @property
    def choose_id(self) -> str:
        """Id of the task that chooses this lane's sweeps from the plan."""
        return f"{'canaries' if self.canaries else 'sweeps'}_for_{self._where}"

    @property
    def pool_slots(self) -> int:
        """One per GPU; without a GPU one per measurement."""
        return max(1, self.num_gpus)

    @property
    def priority_weight(self) -> int:
        """Canaries are measured first."""
        return _CANARY_WEIGHT if self.canaries else 1

    @property
    def _where(self) -> str:
        return "cpu" if self.num_gpus == 0 else f"{self.num_gpus}x_{self.gpu_model.lower()}"


def all_lanes() -> tuple[Lane, ...]:
    """Every lane of this installation; canaries use one GPU."""
    from airflow.sdk import conf

    executor = conf.get("jouleboard", "measure_executor", fallback=None) or None
    queue = conf.get("jouleboard", "measure_queue", fallback=None)
    lanes = [Lane(NO_GPU, 0, CPU_POOL, queue or "default", executor if queue else None)]
    for hosts in read_fleet():
        lanes.append(Lane(hosts.gpu_model, 1, hosts.queue, hosts.queue, executor, canaries=True))
        lanes += [Lane(hosts.gpu_model, size, hosts.queue, hosts.queue, executor) for size in hosts.sizes]
    return tuple(lanes)


def lane_of(sweep: Mapping[str, Any], canary: bool) -> Lane:
    """The lane that measures a sweep (as JSON): the smallest one with enough GPUs.

    Raises:
        SettingsError: no host of the fleet has these GPUs.
    """
    fitting = [
        lane
        for lane in all_lanes()
        if lane.gpu_model == sweep["gpu_model"]
        and lane.num_gpus >= sweep["num_gpus"]
        and lane.canaries == (canary and sweep["num_gpus"] == 1)
    ]
    if not fitting:
        wanted = f"{sweep['num_gpus']}x {sweep['gpu_model']}"
        raise SettingsError(f"no host can measure on {wanted}: {describe_fleet(read_fleet())}")
    return min(fitting, key=lambda lane: lane.num_gpus)


def _round(again: bool) -> str:
    return "again" if again else "in_turns"


def canary_lanes() -> tuple[Lane, ...]:
    """The lanes that measure canaries: one per GPU model of the fleet."""
    return tuple(lane for lane in all_lanes() if lane.canaries)


def canary_lane_of(gpu_model: str) -> Lane:
    """The lane that measures the canaries of a GPU model of the fleet."""
    return next(lane for lane in canary_lanes() if lane.gpu_model == gpu_model)


def measuring_task_ids() -> list[str]:
    """Ids of all tasks that measure, in any DAG."""
    comparing = [lane.compare_id(again) for again in (False, True) for lane in canary_lanes()]
    return comparing + [lane.task_id for lane in all_lanes()]
