"""What surrounds a measurement and would change it: limits of the operating system, inherited variables."""

from __future__ import annotations

from benchmark_tasks.host.limits import Need, require_limits
from benchmark_tasks.plan.sweep import Sweep
from benchmark_tasks.runtimes.launch import AtEndpoint
from benchmark_tasks.runtimes.variables import left_out
from benchmark_tasks.vocabulary import Architecture


def prepare_surroundings(sweep: Sweep) -> list[str]:
    """Raise the limits that the sweep needs; what a person should know before the load, one line each.

    Raises:
        SettingsError: a limit is so low that a load is sure to fail.
    """
    lines = require_limits(need_of(sweep))
    dropped = [] if isinstance(sweep.server, AtEndpoint) else left_out(sweep)
    if dropped:
        lines.append(
            f"not passed to the runtime: {', '.join(dropped)}; to set what changes results, use "
            "--server-env, which records it"
        )
    return lines


def need_of(sweep: Sweep) -> Need:
    """What the sweep's largest load asks of the operating system; the server of an endpoint is not ours."""
    language = sweep.task.architecture is not Architecture.DIFFUSION
    largest = max(point.most_under_way for point in sweep.points)
    started = not isinstance(sweep.server, AtEndpoint)
    return Need(connections=largest if language else 0, num_gpus=sweep.num_gpus if started else 0)
