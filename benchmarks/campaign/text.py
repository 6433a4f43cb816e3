"""A campaign's tables as text for a person."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from benchmarks.campaign.comparisons import Comparison, Spread
from benchmarks.campaign.prices import Price
from benchmarks.campaign.rows import Row

WHOLE_ABOVE = 100
"""Outputs per second are printed without decimals above it."""


def print_runs(rows: list[Row]) -> None:
    """One line per run, under a heading per workload."""
    for what in dict.fromkeys(row.what for row in rows):
        print(f"\n{what}")
        print(f"{'batch':>6} {'J/output':>9} {'+-':>6} {'half':>6} {'+-':>6} {'theirs':>9}", end=" ")
        print(f"{'out/s':>8} {'W':>5}", end=" ")
        print(f"{'cert':>6} {'ITL ms':>7} {'GPU s':>6}  {'GPU':<8}  group")
        for row in rows:
            if row.what == what:
                print(_run_line(row))


def _run_line(row: Row) -> str:
    rate_format = ",.0f" if (row.outputs_per_second or 0) > WHOLE_ABOVE else ".3f"
    values = (
        _shown(row.joules_per_output, ".4f", 9),
        _shown(row.interval, ".1%", 6),
        _shown(row.first_half, "+.1%", 6),
        _shown(row.first_half_interval, ".1%", 6),
        _shown(row.mlenergy_joules_per_output, ".4f", 9),
        _shown(row.outputs_per_second, rate_format, 8),
        _shown(row.watts, ".0f", 5),
        _shown(row.certificate, ".2%", 6),
        _shown(row.median_itl_ms, ".2f", 7),
        _shown(row.gpu_seconds, ".0f", 6),
    )
    remark = "" if row.reason is None else f"  [{row.window} window; {row.reason}]"
    return f"{row.batch_size:>6} {' '.join(values)}  {row.gpus}  {row.group}{remark}"


def print_gpu_seconds(rows: list[Row]) -> None:
    """One line per group: what its runs took on average, and its widest interval."""
    print("\nGPU seconds of a run, its share of server starts included; widest interval")
    for what in dict.fromkeys(row.what for row in rows):
        for group in dict.fromkeys(row.group for row in rows if row.what == what):
            runs = [row for row in rows if (row.what, row.group) == (what, group)]
            intervals = [row.interval for row in runs if row.interval is not None]
            seconds = np.mean([row.gpu_seconds for row in runs])
            widest = _shown(max(intervals, default=None), ".1%", 6)
            print(f"{seconds:>6.0f} {widest}  {what}, {group} ({len(runs)} runs)")


def print_comparisons(comparisons: list[Comparison]) -> None:
    """One line per pair of groups."""
    print("\nGroup against group, on the same GPUs")
    for pair in comparisons:
        itl = "" if pair.median_itl_change is None else f", median ITL {pair.median_itl_change:+.1%}"
        half = "" if pair.energy_half_width is None else f" +- {pair.energy_half_width:.1%}"
        change = f"energy {pair.energy_change:+.1%}{half}{itl}"
        where = f"{pair.runs[1]} and {pair.runs[0]} runs on {pair.gpus}, {pair.window} window"
        print(f"{pair.batch_size:>6} {pair.other!r} against {pair.one!r}: {change} ({where})")


def print_prices(prices: list[Price]) -> None:
    """One line per run of ML.ENERGY's procedure and run of ours, under a heading per workload."""
    print(
        "\nML.ENERGY's procedure against ours to its interval: GPU-seconds of the load + of a server's start"
    )
    for what in dict.fromkeys(price.what for price in prices):
        print(what)
        for price in prices:
            if price.what == what:
                print(_price_line(price))


def _price_line(price: Price) -> str:
    theirs = f"{price.load:.0f} + {price.start:.0f} ({price.interval:.2%}; {price.group})"
    ours = f"never as narrow ({_shown(price.our_interval, '.2%', 0)})"
    if price.our_load is not None:
        share = (price.our_load + price.our_start) / (price.load + price.start)
        ours = f"{price.our_load:.0f} + {price.our_start:.0f} = {share:.0%} ({price.our_interval:.2%})"
    joules = f"{price.joules_per_output:.4f} against {price.our_joules_per_output:.4f} J"
    return f"{price.batch_size:>6} {price.gpus} {theirs} against {ours}; {joules}; {price.our_group}"


def print_spreads(title: str, spreads: Iterable[Spread]) -> None:
    """One line per workload that was measured in several places."""
    print(f"\n{title}: mean J/output of each, and the highest above the lowest")
    for spread in spreads:
        means = ", ".join(f"{place}: {joules:.4g}" for place, joules in spread.joules_per_output.items())
        what = f"{spread.runtime_version} | {spread.what}"
        print(f"{spread.batch_size:>6} {spread.share:+.1%} ({means})  {what}")


def _shown(value: float | None, form: str, width: int) -> str:
    return " " * width if value is None else f"{value:{form}}".rjust(width)
