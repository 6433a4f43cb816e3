"""What an interval costs under ML.ENERGY's procedure and under this project's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmark_tasks.results.schema import Run, Window
from benchmark_tasks.results.summary import within_run_interval
from benchmarks.campaign.runs import by_server, gpus_of, group_of, is_mlenergy_procedure, workload_of

SERVER_START = "server-start"
"""The phase that several runs of one server share."""


@dataclass(frozen=True)
class Price:
    """What ML.ENERGY's procedure took for its interval, and what a run of ours took for one as narrow.

    Both on the same GPUs and in GPU-seconds: loads with their warm-up, starts of servers with idle readings,
    ours shared by the runs that a server measured.

    our_load: up to the first part of the window from which on the interval stayed as narrow; `None` if
        it was never that narrow.
    our_interval: of that much of the window, or of all of it.
    """

    what: str
    batch_size: int
    gpus: str
    group: str
    interval: float
    load: float
    start: float
    joules_per_output: float
    our_group: str
    our_interval: float | None
    our_load: float | None
    our_start: float
    our_joules_per_output: float


def prices(runs: Sequence[Run]) -> list[Price]:
    """Every run of ML.ENERGY's procedure against every settled run of ours with one client process.

    Its interval is that of its own window or, where its parts are not known, that of ours over its load:
    narrower, as it leaves the beginning out. No price where the start of a server is not known.
    """
    runs_and_siblings = by_server(runs)
    pairs = [
        _price(theirs, its_siblings, ours, siblings)
        for theirs, its_siblings in runs_and_siblings
        for ours, siblings in runs_and_siblings
        if is_mlenergy_procedure(theirs) and _is_ours(ours) and _place(ours) == _place(theirs)
    ]
    known = [price for price in pairs if price is not None]
    return sorted(known, key=lambda price: (price.what, price.batch_size, price.gpus, price.our_group))


def _price(theirs: Run, its_siblings: list[Run], ours: Run, siblings: list[Run]) -> Price | None:
    """`None` where an interval, an energy or a start is not known."""
    window, steady_of_theirs, steady = theirs.window_mlenergy, theirs.window_steady, ours.window_steady
    windows = [candidate for candidate in (window, steady_of_theirs) if candidate]
    interval = next(filter(None, map(within_run_interval, windows)), None)
    joules = window.joules_per_output if window else None
    our_joules = steady.joules_per_output if steady else None
    start, our_start = _start_seconds(its_siblings), _start_seconds(siblings)
    if interval is None or joules is None or start is None or our_joules is None or our_start is None:
        return None
    to_spare, our_interval = _once_as_narrow(steady, interval)
    return Price(
        what=workload_of(theirs),
        batch_size=theirs.configuration.batch_size,
        gpus=gpus_of(theirs),
        group=group_of(theirs, len(its_siblings)),
        interval=interval,
        load=_load_seconds(theirs),
        start=start,
        joules_per_output=joules,
        our_group=group_of(ours, len(siblings)),
        our_interval=our_interval,
        our_load=None if to_spare is None else _load_seconds(ours) - to_spare * ours.configuration.num_gpus,
        our_start=our_start,
        our_joules_per_output=our_joules,
    )


def _place(run: Run) -> tuple[str | int, ...]:
    """What runs of both procedures share: all but how a load begins and ends."""
    keys = run.comparability
    what = workload_of(run).replace(keys.request_set_id, keys.request_set_id.split("+")[0])
    return what, keys.runtime_version, run.configuration.batch_size, gpus_of(run)


def _is_ours(run: Run) -> bool:
    """A settled run with energy, of one client process, whose load was as usual."""
    usual = "+" not in run.comparability.request_set_id
    single = run.client is not None and run.client.processes == 1
    return usual and single and run.window_steady is not None and bool(run.window_steady.sub_windows)


def _start_seconds(siblings: list[Run]) -> float | None:
    """GPU-seconds of one run's share of the start of their server; `None` if no run here has it."""
    starts = [phase.seconds for run in siblings for phase in run.phases if phase.name == SERVER_START]
    return siblings[0].configuration.num_gpus * sum(starts) / len(siblings) if starts else None


def _load_seconds(run: Run) -> float:
    """GPU-seconds of all but the start of its server."""
    seconds = [phase.seconds for phase in run.phases if phase.name != SERVER_START]
    return run.configuration.num_gpus * sum(seconds)


def _once_as_narrow(window: Window | None, interval: float) -> tuple[float | None, float | None]:
    """Seconds of a window that were left once its interval stayed as narrow, and the interval then.

    `None` and the interval of the whole window if it never was as narrow.
    """
    assert window is not None and window.start_seconds is not None and window.end_seconds is not None
    parts = window.sub_windows
    shorter = [window.model_copy(update={"sub_windows": parts[:n]}) for n in range(1, len(parts) + 1)]
    widths = [within_run_interval(part) for part in shorter]
    enough = max((n for n, width in enumerate(widths, 1) if width is None or width > interval), default=0) + 1
    if enough > len(parts):
        return None, widths[-1]
    seconds = (window.end_seconds - window.start_seconds) / len(parts)
    return (len(parts) - enough) * seconds, widths[enough - 1]
