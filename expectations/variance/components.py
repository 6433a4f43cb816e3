"""How large each source of variance is, per GPU model and kind of model, from the runs that tell it.

Read and written are plain tables: dbt calls `estimated` (`int_variance_components`).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from expectations.variance.nested import Component, Observation, components, pooled

BUSY = 1 / 3
"""Least share of its power limit at which a GPU is taken to be busy. A model of 135 million parameters drew
20 to 26 % on an H200, and two servers of it differed by up to 22 %; the next lowest recorded run drew
43 %."""

WARMER_CELSIUS = 10.0
"""Runs whose hottest temperatures differ by so much are cold and warm ones."""


class Source(StrEnum):
    """What makes two figures of one row differ. The first six are nested, the smallest first."""

    WINDOW = "window"
    RUN = "run"
    SERVER = "server"
    DAY = "day"
    GPU = "gpu"
    HOST = "host"
    HEAT = "heat"
    INSTRUMENT = "instrument"
    WEIGHTS = "weights"


NESTED = (Source.HOST, Source.GPU, Source.DAY, Source.SERVER, Source.RUN)
"""The highest first. A run holds its window."""

COMPONENTS = pa.schema(
    {
        "data_source": pa.string(),
        "gpu_model": pa.string(),
        "architecture": pa.string(),
        "source": pa.string(),
        "relative_size": pa.float64(),
        "relative_size_low": pa.float64(),
        "relative_size_high": pa.float64(),
        "degrees_of_freedom": pa.int32(),
        "compared": pa.int32(),
        "included_in": pa.string(),
    }
)
"""One row per data source, GPU model, architecture and source. Not measured: 0 degrees, no size."""

Row = Mapping[str, Any]


def estimated(runs: pa.Table) -> pa.Table:
    """The size of each source.

    Args:
        runs: rows of `int_runs_behind_energy`.

    Returns:
        Rows of `COMPONENTS`. Sizes are shares of the figure: a standard deviation, or the root mean
        square of a difference (instrument, weights).
    """
    rows = [
        dict(zip(COMPONENTS.names, (*key, *values), strict=True))
        for key, group in _groups(_busy(runs))
        for values in _sizes(group)
    ]
    return pa.Table.from_pylist(rows, schema=COMPONENTS)


def _busy(runs: pa.Table) -> pa.Table:
    """Without runs whose GPU waits for its host: how far these differ tells how fast the host was."""
    share = runs["share_of_power_limit"]
    return runs.filter(pc.or_kleene(pc.is_null(share), pc.greater_equal(share, BUSY)))


def _groups(runs: pa.Table) -> Iterator[tuple[tuple[str, ...], list[Row]]]:
    """Runs by data source, GPU model and architecture; one group at a time is in memory as rows."""
    names = COMPONENTS.names[:3]
    keys = runs.select(names).group_by(names).aggregate([]).to_pylist()
    for key in sorted(tuple(row[name] for name in names) for row in keys):
        wanted = pc.and_kleene(pc.equal(runs[names[0]], key[0]), pc.equal(runs[names[1]], key[1]))
        yield key, runs.filter(pc.and_kleene(wanted, pc.equal(runs[names[2]], key[2]))).to_pylist()


def _sizes(runs: Sequence[Row]) -> Iterator[tuple[Any, ...]]:
    found = {Source(level): component for level, component in _nested(runs).items()}
    found |= {
        source: component
        for source, component in (
            (Source.WINDOW, _windows(runs)),
            (Source.HEAT, _heat(runs)),
            (Source.INSTRUMENT, _instruments(runs)),
            (Source.WEIGHTS, _weights(runs)),
        )
        if component
    }
    holders = {lower: source.value for source, component in found.items() for lower in component.includes}
    for source in Source:
        component = found.get(source)
        if component is None:
            yield (source.value, None, None, None, 0, 0, holders.get(source.value))
        else:
            sizes = (math.sqrt(value) for value in (component.variance, component.low, component.high))
            yield (source.value, *sizes, component.degrees, component.groups, None)


def _nested(runs: Iterable[Row]) -> dict[str, Component]:
    """Of runs that say on which GPU and server they were measured."""
    return components(
        [
            Observation(
                math.log(run["energy_per_output_joules"]),
                (
                    run["leaderboard_id"],
                    run["host"] or "",
                    run["gpu_uuids"],
                    str(run["measured_on"]),
                    run["server_start_id"],
                    run["run_id"],
                ),
            )
            for run in runs
            if run["gpu_uuids"] and run["server_start_id"]
        ],
        [source.value for source in NESTED],
    )


def _windows(runs: Iterable[Row]) -> Component | None:
    """The standard error of a run's figure over the parts of its window."""
    return pooled(
        (run["within_run_error"] ** 2, run["within_run_degrees"])
        for run in runs
        if run["within_run_error"] is not None and run["within_run_degrees"]
    )


def _heat(runs: Iterable[Row]) -> Component | None:
    """A row's cold runs against its warm ones on one GPU, where their hottest temperatures lie apart."""
    same: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for run in runs:
        if run["gpu_uuids"] and run["temperature_max_celsius"] is not None:
            same[run["leaderboard_id"], run["gpu_uuids"]].append(run)
    squares, units = [], set()
    for (_, gpus), several in same.items():
        heats = [run["temperature_max_celsius"] for run in several]
        if max(heats) - min(heats) >= WARMER_CELSIUS:
            middle = (max(heats) + min(heats)) / 2
            warm = _mean_log(run for run in several if run["temperature_max_celsius"] > middle)
            cold = _mean_log(run for run in several if run["temperature_max_celsius"] <= middle)
            squares.append((warm - cold) ** 2 / 2)
            units.add(gpus)
    return pooled(((square, 1) for square in squares), at_most=len(units))


def _instruments(runs: Sequence[Row]) -> Component | None:
    """By how much counter and integral of samples differ. What both of them miss is not in it."""
    known = [run for run in runs if run["instrument_difference"] is not None]
    units = {run["gpu_uuids"] or "" for run in known}
    return pooled(((run["instrument_difference"] ** 2, 1) for run in known), at_most=len(units))


def _weights(runs: Iterable[Row]) -> Component | None:
    """Real weights against others, all other keys being equal."""
    pairs: dict[str, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for run in runs:
        pairs[run["any_weights_id"]][run["weights"]].append(run)
    squares, models = [], set()
    for kinds in pairs.values():
        for weights in kinds.keys() - {"real"} if "real" in kinds else ():
            squares.append((_mean_log(kinds[weights]) - _mean_log(kinds["real"])) ** 2)
            models.add(kinds["real"][0]["model_id"])
    return pooled(((square, 1) for square in squares), at_most=len(models))


def _mean_log(runs: Iterable[Row]) -> float:
    values = [math.log(run["energy_per_output_joules"]) for run in runs]
    return sum(values) / len(values)
