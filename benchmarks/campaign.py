"""What a campaign's bundles say, run by run and group against group; docs/results.md is made with it.

    python -m benchmarks.campaign recorded_runs/h200-2026-11-qwen3-8b [--json]

A group is a runtime version, whether the run had its server for itself and for how many answers at once
that was sized (`max_num_seqs`), how many client processes there were if several, and the sweep's note. What
a note says of the servers is ignored: the record knows it. Groups are compared on the same GPUs only, as
GPUs of one model differ; by how much is said at the end. Intervals are 95 % half-widths, as a share: of one
run over its sub-windows (empty where it has none), of a change by Student's t over runs. `half` is by how
much the window's first half differs from all of it, and that half's interval; `theirs` is the same over
ML.ENERGY's window. GPU seconds count a server's start with the run that needed it. Where ML.ENERGY's
procedure was run, too, what it took for its interval is set against what ours takes to one as narrow.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import chain, combinations
from pathlib import Path

import numpy as np

from benchmark_tasks.errors import JouleboardError
from benchmark_tasks.plan.procedure import Procedure
from benchmark_tasks.results import bundle
from benchmark_tasks.results.schema import Run, SubWindow, Window
from benchmark_tasks.results.summary import within_run_interval
from benchmark_tasks.statistics import Change, relative_change
from benchmark_tasks.vocabulary import RunStatus
from benchmarks.parts import parts_of

_NOTES_SAID_ELSEWHERE = (
    "one server for the sweep",
    "one server per batch size",
    "four client processes",
    "A",
    "B",
)
"""Notes of plans that only repeat what the record knows."""

SERVER_START = "server-start"
GPU_CHARACTERS = 8
WHOLE_ABOVE = 100
"""Outputs per second are printed without decimals above it."""
"""Of a GPU's UUID, in tables."""


@dataclass(frozen=True)
class Row:
    """One completed run. `window` says whose window the figures are of; shares are of 1.

    gpus: the GPUs it ran on, by the beginnings of their UUIDs.
    host: what is known of it, and the day.
    mlenergy_joules_per_output: over ML.ENERGY's window of the same load.
    first_half: by how much the first half of the window's sub-windows differs from all of it, energy per
        output: what a window half as long would have said.
    first_half_interval: what it would have claimed.
    """

    what: str
    group: str
    runtime_version: str
    client_processes: int
    batch_size: int
    gpus: str
    host: str
    window: str
    joules_per_output: float | None
    mlenergy_joules_per_output: float | None
    interval: float | None
    first_half: float | None
    first_half_interval: float | None
    outputs_per_second: float | None
    watts: float | None
    certificate: float | None
    median_itl_ms: float | None
    gpu_seconds: float
    client_cpu_share: float | None
    reason: str | None


def runs_of(folder: Path) -> list[Run]:
    """The completed runs under a folder; those of ML.ENERGY's procedure with the parts of its window.

    Raises:
        JouleboardError: a bundle is damaged, or there is none.
    """
    folders = sorted(path.parent for path in folder.rglob("run.json"))
    if not folders:
        raise JouleboardError(f"no bundle under {folder}")
    runs = [(folder, bundle.verify(folder)) for folder in folders]
    return [_with_their_parts(*one) for one in runs if one[1].status is RunStatus.COMPLETED]


def _with_their_parts(folder: Path, run: Run) -> Run:
    window = run.window_mlenergy
    if not _is_theirs(run) or window is None or window.energy is None or window.sub_windows:
        return run
    window = window.model_copy(update={"sub_windows": parts_of(folder, window, Procedure().sub_windows)})
    return run.model_copy(update={"window_mlenergy": window})


def _is_theirs(run: Run) -> bool:
    """Whether it had ML.ENERGY's fixed number of requests."""
    return any(mark.endswith("-requests") for mark in run.comparability.request_set_id.split("+"))


def rows_of(runs: Sequence[Run]) -> list[Row]:
    """A row for every run."""
    return sorted((_row(run, len(siblings)) for run, siblings in _by_server(runs)), key=_order)


def _by_server(runs: Sequence[Run]) -> list[tuple[Run, list[Run]]]:
    """Each run with all those of its server or pipeline, itself included."""
    served: dict[str, list[Run]] = {}
    for run in runs:
        served.setdefault(run.server.session_id if run.server else run.run_id, []).append(run)
    return [(run, siblings) for siblings in served.values() for run in siblings]


def _order(row: Row) -> tuple[str, int, str, str]:
    return row.what, row.batch_size, row.group, row.gpus


def _group(run: Run, served: int) -> str:
    """`served`: how many runs this one's server or pipeline measured."""
    server = "one for the sweep" if served > 1 else "own server"
    sized = [re.fullmatch(r"--max-num-seqs=(\d+)", part) for part in run.provenance.server_arguments]
    server += "".join(f" of {found[1]}" for found in sized if found)
    parts = [run.comparability.runtime_version, server]
    if run.client and run.client.processes > 1:
        parts.append(f"{run.client.processes} client processes")
    if run.note and run.note not in _NOTES_SAID_ELSEWHERE:
        parts.append(run.note)
    return ", ".join(parts)


def _gpus(run: Run) -> str:
    return "+".join(sorted(gpu.uuid.removeprefix("GPU-")[:GPU_CHARACTERS] for gpu in run.provenance.gpus))


def _what(run: Run) -> str:
    """Everything that two runs must share to be compared, but for batch size and version."""
    c, keys = run.configuration, run.comparability
    cap = keys.power_limit_watts and f"{keys.power_limit_watts:g} W"
    model = [c.model_id, c.weight_precision, keys.weights, keys.model_revision]
    parts = [*model, c.task, keys.runtime, c.where, cap, c.size, keys.request_set_id, keys.length_control]
    return " | ".join(part for part in parts if part)


def _row(run: Run, served: int) -> Row:
    settled = run.window_steady is not None and run.window_steady.energy is not None
    window = run.window_steady if settled else run.window_mlenergy or run.window_steady
    assert window is not None
    seconds = (window.end_seconds or 0.0) - (window.start_seconds or 0.0)
    energy, latency, c = window.energy, run.latency, run.configuration
    half = _first_half(window)
    all_parts, half_parts = _per_output(window.sub_windows), _per_output(half.sub_windows)
    integral = energy.integral_joules if energy else None
    return Row(
        what=_what(run),
        group=_group(run, served),
        runtime_version=run.comparability.runtime_version,
        client_processes=run.client.processes if run.client else 1,
        batch_size=c.batch_size,
        gpus=_gpus(run),
        host=f"{run.provenance.cpu_count} processors, {run.started_at:%Y-%m-%d}",
        window="ours" if settled or run.window_mlenergy is None else "ML.ENERGY's",
        joules_per_output=window.joules_per_output,
        mlenergy_joules_per_output=run.window_mlenergy and run.window_mlenergy.joules_per_output,
        interval=within_run_interval(window),
        first_half=half_parts / all_parts - 1 if half_parts and all_parts else None,
        first_half_interval=within_run_interval(half),
        outputs_per_second=window.outputs / seconds if window.outputs and seconds else None,
        watts=energy.counter_joules / energy.counter_seconds if energy else None,
        certificate=abs(integral / energy.counter_joules - 1) if energy and integral else None,
        median_itl_ms=latency.itl_ms.p50 if latency and latency.itl_ms else None,
        gpu_seconds=c.num_gpus * sum(phase.seconds for phase in run.phases),
        client_cpu_share=run.client.cpu_share if run.client else None,
        reason=None if settled else run.window_steady and run.window_steady.reason,
    )


def _first_half(window: Window) -> Window:
    parts = window.sub_windows
    return window.model_copy(update={"sub_windows": parts[: len(parts) // 2]})


def _per_output(parts: Sequence[SubWindow]) -> float | None:
    outputs = sum(part.outputs for part in parts)
    return sum(part.counter_joules for part in parts) / outputs if outputs else None


@dataclass(frozen=True)
class Comparison:
    """Mean of one group against that of another, at one batch size, on the same GPUs and window.

    energy_half_width: `None` where a group has a single run.
    """

    what: str
    batch_size: int
    gpus: str
    window: str
    one: str
    other: str
    runs: tuple[int, int]
    energy_change: float
    energy_half_width: float | None
    median_itl_change: float | None


def comparisons(rows: list[Row]) -> list[Comparison]:
    """Every pair of groups that share a batch size, GPUs and a window."""
    made, rows = [], [row for row in rows if row.joules_per_output is not None]
    for key in sorted({(row.what, row.batch_size, row.gpus, row.window) for row in rows}):
        same = [row for row in rows if (row.what, row.batch_size, row.gpus, row.window) == key]
        for one, other in combinations(sorted({row.group for row in same}), 2):
            first, second = ([row for row in same if row.group == group] for group in (one, other))
            energy = _change(first, second, "joules_per_output")
            assert energy is not None, "rows without energy were left out"
            itl, runs = _change(first, second, "median_itl_ms"), (len(first), len(second))
            half_width = energy.half_width if min(runs) > 1 else None
            made.append(
                Comparison(*key, one, other, runs, energy.share, half_width, itl.share if itl else None)
            )
    return made


def _change(first: list[Row], second: list[Row], name: str) -> Change | None:
    """Of a figure, from one group to the other; `None` where a run lacks it."""
    before, after = ([getattr(row, name) for row in group] for group in (first, second))
    return None if None in before + after else relative_change(before, after, equal_spread=True)


@dataclass(frozen=True)
class Spread:
    """The same measured in several places: the mean of each, lowest first."""

    what: str
    batch_size: int
    runtime_version: str
    joules_per_output: dict[str, float]

    @property
    def share(self) -> float:
        """By how much the highest mean is above the lowest."""
        values = list(self.joules_per_output.values())
        return values[-1] / values[0] - 1


def spreads(rows: list[Row], place: Callable[[Row], str], within: Callable[[Row], str]) -> list[Spread]:
    """What was measured in more than one place, all else (and what `within` says) being equal.

    Only our windows, with one client process; servers of their own stand for those of a sweep.
    """
    found: dict[tuple[str, int, str, str], dict[str, list[float]]] = {}
    for row in rows:
        if row.window == "ours" and row.joules_per_output is not None and row.client_processes == 1:
            key = (row.what, row.batch_size, row.runtime_version, within(row))
            found.setdefault(key, {}).setdefault(place(row), []).append(row.joules_per_output)
    made = []
    for key in sorted(key for key, places in found.items() if len(places) > 1):
        means = [(name, float(np.mean(values))) for name, values in found[key].items()]
        made.append(Spread(*key[:3], dict(sorted(means, key=lambda mean: mean[1]))))
    return made


def between_gpus(rows: list[Row]) -> list[Spread]:
    """GPUs of one host on one day."""
    return spreads(rows, lambda row: row.gpus, lambda row: row.host)


def between_hosts(rows: list[Row]) -> list[Spread]:
    """Hosts and days, each with the GPUs it had."""
    return spreads(rows, lambda row: row.host, lambda _: "")


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
    by_server = _by_server(runs)
    pairs = [
        _price(theirs, its_siblings, ours, siblings)
        for theirs, its_siblings in by_server
        for ours, siblings in by_server
        if _is_theirs(theirs) and _is_ours(ours) and _place(ours) == _place(theirs)
    ]
    made = [price for price in pairs if price is not None]
    return sorted(made, key=lambda price: (price.what, price.batch_size, price.gpus, price.our_group))


def _price(theirs: Run, its_siblings: list[Run], ours: Run, siblings: list[Run]) -> Price | None:
    """`None` where an interval, an energy or a start is not known."""
    window, steady = theirs.window_mlenergy, ours.window_steady
    windows = [one for one in (window, theirs.window_steady) if one]
    interval = next(filter(None, map(within_run_interval, windows)), None)
    joules, start = window and window.joules_per_output, _start_seconds(its_siblings)
    our_joules, our_start = steady and steady.joules_per_output, _start_seconds(siblings)
    if interval is None or joules is None or start is None or our_joules is None or our_start is None:
        return None
    to_spare, our_interval = _once_as_narrow(steady, interval)
    return Price(
        what=_what(theirs),
        batch_size=theirs.configuration.batch_size,
        gpus=_gpus(theirs),
        group=_group(theirs, len(its_siblings)),
        interval=interval,
        load=_load_seconds(theirs),
        start=start,
        joules_per_output=joules,
        our_group=_group(ours, len(siblings)),
        our_interval=our_interval,
        our_load=None if to_spare is None else _load_seconds(ours) - to_spare * ours.configuration.num_gpus,
        our_start=our_start,
        our_joules_per_output=our_joules,
    )


def _place(run: Run) -> tuple[str | int, ...]:
    """What runs of both procedures share: all but how a load begins and ends."""
    keys = run.comparability
    what = _what(run).replace(keys.request_set_id, keys.request_set_id.split("+")[0])
    return what, keys.runtime_version, run.configuration.batch_size, _gpus(run)


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
    widths = [within_run_interval(one) for one in shorter]
    enough = max((n for n, width in enumerate(widths, 1) if width is None or width > interval), default=0) + 1
    if enough > len(parts):
        return None, widths[-1]
    seconds = (window.end_seconds - window.start_seconds) / len(parts)
    return (len(parts) - enough) * seconds, widths[enough - 1]


def _print(rows: list[Row], compared: list[Comparison], priced: list[Price]) -> None:
    for what in dict.fromkeys(row.what for row in rows):
        print(f"\n{what}")
        print(f"{'batch':>6} {'J/output':>9} {'+-':>6} {'half':>6} {'+-':>6} {'theirs':>9}", end=" ")
        print(f"{'out/s':>8} {'W':>5}", end=" ")
        print(f"{'cert':>6} {'ITL ms':>7} {'GPU s':>6}  {'GPU':<8}  group")
        for row in (row for row in rows if row.what == what):
            values = (
                _shown(row.joules_per_output, ".4f", 9),
                _shown(row.interval, ".1%", 6),
                _shown(row.first_half, "+.1%", 6),
                _shown(row.first_half_interval, ".1%", 6),
                _shown(row.mlenergy_joules_per_output, ".4f", 9),
                _shown(
                    row.outputs_per_second,
                    ",.0f" if (row.outputs_per_second or 0) > WHOLE_ABOVE else ".3f",
                    8,
                ),
                _shown(row.watts, ".0f", 5),
                _shown(row.certificate, ".2%", 6),
                _shown(row.median_itl_ms, ".2f", 7),
                _shown(row.gpu_seconds, ".0f", 6),
            )
            remark = "" if row.reason is None else f"  [{row.window} window; {row.reason}]"
            print(f"{row.batch_size:>6} {' '.join(values)}  {row.gpus}  {row.group}{remark}")
    print("\nGPU seconds of a run, its share of server starts included; widest interval")
    for what in dict.fromkeys(row.what for row in rows):
        for group in dict.fromkeys(row.group for row in rows if row.what == what):
            runs = [row for row in rows if (row.what, row.group) == (what, group)]
            intervals = [row.interval for row in runs if row.interval is not None]
            seconds = np.mean([row.gpu_seconds for row in runs])
            widest = _shown(max(intervals, default=None), ".1%", 6)
            print(f"{seconds:>6.0f} {widest}  {what}, {group} ({len(runs)} runs)")
    print("\nGroup against group, on the same GPUs")
    for one in compared:
        itl = "" if one.median_itl_change is None else f", median ITL {one.median_itl_change:+.1%}"
        half = "" if one.energy_half_width is None else f" +- {one.energy_half_width:.1%}"
        change = f"energy {one.energy_change:+.1%}{half}{itl}"
        where = f"{one.runs[1]} and {one.runs[0]} runs on {one.gpus}, {one.window} window"
        print(f"{one.batch_size:>6} {one.other!r} against {one.one!r}: {change} ({where})")
    print(
        "\nML.ENERGY's procedure against ours to its interval: GPU-seconds of the load + of a server's start"
    )
    for what in dict.fromkeys(price.what for price in priced):
        print(what)
        for price in (price for price in priced if price.what == what):
            theirs = f"{price.load:.0f} + {price.start:.0f} ({price.interval:.2%}; {price.group})"
            ours = f"never as narrow ({_shown(price.our_interval, '.2%', 0)})"
            if price.our_load is not None:
                share = (price.our_load + price.our_start) / (price.load + price.start)
                ours = (
                    f"{price.our_load:.0f} + {price.our_start:.0f} = {share:.0%} ({price.our_interval:.2%})"
                )
            joules = f"{price.joules_per_output:.4f} against {price.our_joules_per_output:.4f} J"
            print(f"{price.batch_size:>6} {price.gpus} {theirs} against {ours}; {joules}; {price.our_group}")
    for title, made in (("GPU against GPU of one host", between_gpus), ("Host against host", between_hosts)):
        print(f"\n{title}: mean J/output of each, and the highest above the lowest")
        for spread in made(rows):
            means = ", ".join(f"{place}: {joules:.4g}" for place, joules in spread.joules_per_output.items())
            what = f"{spread.runtime_version} | {spread.what}"
            print(f"{spread.batch_size:>6} {spread.share:+.1%} ({means})  {what}")


def _shown(value: float | None, form: str, width: int) -> str:
    return " " * width if value is None else f"{value:{form}}".rjust(width)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, nargs="+")
    parser.add_argument("--json", action="store_true", help="one object, a list a table")
    options = parser.parse_args()
    try:
        runs = list(chain.from_iterable(map(runs_of, options.folder)))
    except JouleboardError as error:
        sys.exit(f"error: {error}")
    rows, priced = rows_of(runs), prices(runs)
    compared = comparisons(rows)
    if options.json:
        tables = {"rows": rows, "comparisons": compared, "prices": priced}
        tables |= {"between_gpus": between_gpus(rows), "between_hosts": between_hosts(rows)}
        print(json.dumps({name: [asdict(row) for row in table] for name, table in tables.items()}))
    else:
        _print(rows, compared, priced)


if __name__ == "__main__":
    main()
