"""Price lists: one fit per model, GPUs, version and weights, and what it says of loads that it has not seen.

GPUs of one model differ by several percent, and not alike at every load, so a list is fitted to the loads
of one GPU (or set of GPUs): that with the most different designed loads. Those of others are loads that it
has not seen. Where the loads of that GPU hold prompts of too few lengths, what a pair of prompt tokens costs
relative to a token is taken from the next GPU whose loads tell it, and these are no proof.

Read and written are plain tables: dbt calls these functions (`int_price_fits`, `int_price_predictions`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from expectations.prices.fit import Fit, Measured, NotTold, fit
from expectations.prices.works import Works

CONTEXTS = (1_024, 4_096, 16_384, 32_768)
"""Held contexts at which a decoded token is priced, as far as they were measured."""
PROMPTS = (128, 512, 2_048, 8_192, 16_384)
"""Lengths of prompts at which a token of one is priced, as far as they were measured."""

SMALLEST_SHARE = 0.95
"""Of a closed loop, answers in flight after their first token are a little fewer than its batch size."""


class Component(StrEnum):
    """What a row of a price list prices. Terms are what the model adds up; the others follow from them."""

    PREFILL_TERM = "prefill_term"
    PAIR_TERM = "pair_term"
    CONTEXT_TERM = "context_term"
    STEP_TERM = "step_term"
    PREFILL_TOKEN = "prefill_token"
    DECODE_TOKEN = "decode_token"
    IDLE_SECOND = "idle_second"


FITS = pa.schema(
    {
        "price_list_id": pa.string(),
        "gpu_uuids": pa.string(),
        "pair_gpu_uuids": pa.string(),
        "component": pa.string(),
        "batch_size": pa.float64(),
        "context_tokens": pa.int32(),
        "price_joules": pa.float64(),
        "price_low_joules": pa.float64(),
        "price_high_joules": pa.float64(),
        "price_seconds": pa.float64(),
        "loads": pa.int32(),
        "runs": pa.int32(),
        "run_ids": pa.string(),
        "shortest_prompt_tokens": pa.int32(),
        "longest_prompt_tokens": pa.int32(),
        "longest_context_tokens": pa.int32(),
    }
)
"""One row per price list and price. `batch_size`, `context_tokens`: where the price depends on them."""

PREDICTIONS = pa.schema(
    {
        "price_list_id": pa.string(),
        "run_id": pa.string(),
        "predicted_joules": pa.float64(),
        "mean_in_flight": pa.float64(),
        "mean_context_tokens": pa.float64(),
        "is_within_measured": pa.bool_(),
    }
)
"""One row per window that a price list was not fitted to."""

COLUMNS = ", ".join(
    (
        "price_list_id, used_for, run_id, gpu_uuids, batch_size, fixed_prompt_tokens, fixed_answer_tokens",
        "energy_joules, window_seconds, relative_error, idle_watts_loaded",
        "prefill_tokens, prefill_pairs, idle_seconds",
    )
)
"""Those of `int_priced_windows` that are read."""
_KEPT = (
    "run_id",
    "gpu_uuids",
    "batch_size",
    "fixed_prompt_tokens",
    "fixed_answer_tokens",
    "energy_joules",
    "window_seconds",
    "relative_error",
    "idle_watts_loaded",
)
"""Columns of windows that are read as rows; their work is read as arrays."""

Row = Mapping[str, Any]


@dataclass
class _Windows:
    """The windows of one price list that are not its proof. works: of those to fit, in their order."""

    fit: list[Row] = field(default_factory=list)
    idle: list[Row] = field(default_factory=list)
    works: Works = field(default_factory=lambda: Works.of([]))

    def on(self, gpus: str | None) -> _Windows:
        """Those of these GPUs."""
        places = np.flatnonzero([row["gpu_uuids"] == gpus for row in self.fit])
        return _Windows(
            [self.fit[place] for place in places],
            [row for row in self.idle if row["gpu_uuids"] == gpus],
            self.works.at(places),
        )

    @property
    def measured(self) -> Measured:
        """Those to fit."""
        names = ("energy_joules", "window_seconds", "relative_error")
        return Measured(self.works, *(np.array([row[name] for row in self.fit], float) for name in names))


def fitted(windows: pa.Table, decoding: pa.Table) -> pa.Table:
    """Fit every price list whose loads tell its prices apart.

    Args:
        windows: rows of `int_priced_windows`. decoding: rows of `stg_jouleboard__window_decoding`.

    Returns:
        Rows of `FITS`.
    """
    rows: list[dict[str, Any]] = []
    for list_id, group in _by_list(windows, decoding):
        chosen = _fit_of_one_gpu(group)
        if chosen is not None:
            found, gpus, pair_gpus = chosen
            on_gpus = group.on(gpus)
            common = {"price_list_id": list_id, "gpu_uuids": gpus, "pair_gpu_uuids": pair_gpus}
            common |= _origin(on_gpus.fit)
            rows += [common | priced for priced in _prices(found, on_gpus, common)]
    return pa.Table.from_pylist(rows, schema=FITS)


def _by_list(windows: pa.Table, decoding: pa.Table) -> Iterator[tuple[str, _Windows]]:
    """The lists in the order of their ids, the windows of each in that of their runs."""
    fits, idle = (_sorted(windows.filter(pc.equal(windows["used_for"], use))) for use in ("fit", "idle"))
    works, rows = _works(fits, decoding), fits.select(_KEPT).to_pylist()
    idle_rows: dict[str, list[Row]] = {}
    for list_id, row in zip(idle["price_list_id"].to_pylist(), idle.select(_KEPT).to_pylist(), strict=True):
        idle_rows.setdefault(list_id, []).append(row)
    for list_id, first, end in _slices(fits):
        yield list_id, _Windows(rows[first:end], idle_rows.get(list_id, []), works.between(first, end))


def _fit_of_one_gpu(group: _Windows) -> tuple[Fit, str | None, str | None] | None:
    """The fit, its GPUs, and those that told what a pair costs, if others did. `None`: no GPU tells any."""
    order = _most_measured_first(group.fit)
    on_gpus = {gpus: group.on(gpus) for gpus in order}

    @cache
    def alone(gpus: str | None) -> Fit | None:
        with suppress(NotTold):
            return fit(on_gpus[gpus].measured, _nodes(on_gpus[gpus].fit))
        return None

    for gpus in order:
        whole = alone(gpus)
        if whole is not None:
            return whole, gpus, None
        for pair_gpus in order:
            other = alone(pair_gpus)
            if other is not None:
                with suppress(NotTold):
                    return fit(on_gpus[gpus].measured, _nodes(on_gpus[gpus].fit), other), gpus, pair_gpus
    return None


def predicted(windows: pa.Table, decoding: pa.Table, fits: pa.Table) -> pa.Table:
    """What each price list says of the windows that it was not fitted to: rows of `PREDICTIONS`."""
    lists: dict[str, list[Row]] = {}
    for row in fits.to_pylist():
        lists.setdefault(row["price_list_id"], []).append(row)
    wanted = pc.is_in(windows["price_list_id"], value_set=fits["price_list_id"])
    windows = _sorted(windows.filter(pc.and_(wanted, pc.not_equal(windows["used_for"], "idle"))))
    works = _works(windows, decoding)
    tables = [
        _predicted(windows.slice(first, end - first), works.between(first, end), lists[list_id])
        for list_id, first, end in _slices(windows)
    ]
    return pa.concat_tables([PREDICTIONS.empty_table(), *tables])


def _predicted(windows: pa.Table, works: Works, prices: list[Row]) -> pa.Table:
    """Of the windows of one list, its proof and those of other GPUs than it was fitted to."""
    found, idle_watts = _read(prices)
    in_flight, context = works.mean_in_flight, works.mean_context
    is_batch_known = (in_flight >= SMALLEST_SHARE * found.nodes[0]) & (in_flight <= found.nodes[-1])
    inside = (context <= prices[0]["longest_context_tokens"]) & (is_batch_known | (in_flight == 0))
    if idle_watts is None:
        inside &= works.idle_seconds == 0
    columns = [
        windows["price_list_id"],
        windows["run_id"],
        found.joules_of(works, idle_watts or 0.0),
        in_flight,
        context,
        inside,
    ]
    gpus = windows["gpu_uuids"].to_numpy(zero_copy_only=False)
    elsewhere = (gpus != prices[0]["gpu_uuids"]) & (gpus != prices[0]["pair_gpu_uuids"])
    is_proof = pc.equal(windows["used_for"], "proof")
    return pa.table(columns, schema=PREDICTIONS).filter(pc.or_(is_proof, pa.array(elsewhere)))


def _sorted(windows: pa.Table) -> pa.Table:
    return windows.sort_by([("price_list_id", "ascending"), ("run_id", "ascending")])


def _slices(windows: pa.Table) -> Iterator[tuple[str, int, int]]:
    """Each price list with its first row and the one after its last, of windows sorted by list."""
    counts = pc.value_counts(windows["price_list_id"]).to_pylist()
    first = 0
    for counted in counts:
        yield counted["values"], first, first + counted["counts"]
        first += counted["counts"]


def _works(windows: pa.Table, decoding: pa.Table) -> Works:
    """The work of these windows alone: there are millions of rows of others."""
    places = pc.index_in(decoding["run_id"], value_set=windows["run_id"])
    parts = decoding.append_column("window", places).filter(pc.is_valid(places)).sort_by("window")
    names = ("answers_in_flight", "decode_tokens", "context_tokens")
    of_windows = (_floats(windows[name]) for name in ("prefill_tokens", "prefill_pairs", "idle_seconds"))
    prefill_tokens, prefill_pairs, idle_seconds = of_windows
    in_flight, tokens, context_tokens = (_floats(parts[name]) for name in names)
    window = parts["window"].to_numpy().astype(int)
    return Works(prefill_tokens, prefill_pairs, idle_seconds, window, in_flight, tokens, context_tokens)


def _floats(column: pa.ChunkedArray) -> np.ndarray:
    values: np.ndarray = column.to_numpy().astype(float)
    return values


def _most_measured_first(rows: list[Row]) -> list[str | None]:
    """GPUs by how many different loads they were measured with, then by the latest."""
    loads: dict[str | None, set[tuple[int, ...]]] = {}
    for row in sorted(rows, key=lambda row: row["run_id"], reverse=True):
        loads.setdefault(row["gpu_uuids"], set()).add((*_lengths(row), row["batch_size"]))
    return sorted(loads, key=lambda gpus: -len(loads[gpus]))


def _lengths(row: Row) -> tuple[int, int]:
    return row["fixed_prompt_tokens"], row["fixed_answer_tokens"]


def _nodes(rows: list[Row]) -> list[float]:
    """Where a step has a price of its own: batch sizes of the lengths that were measured at the most."""
    sizes: dict[tuple[int, int], set[float]] = {}
    for row in rows:
        if row["fixed_answer_tokens"] > 1:
            sizes.setdefault(_lengths(row), set()).add(float(row["batch_size"]))
    most = max(sizes, key=lambda lengths: (len(sizes[lengths]), lengths), default=None)
    return sorted(sizes[most]) if most else []


def _origin(rows: list[Row]) -> dict[str, Any]:
    prompts = [row["fixed_prompt_tokens"] for row in rows]
    return {
        "loads": len({(*_lengths(row), row["batch_size"]) for row in rows}),
        "runs": len(rows),
        "run_ids": ", ".join(row["run_id"] for row in rows),
        "shortest_prompt_tokens": min(prompts),
        "longest_prompt_tokens": max(prompts),
        "longest_context_tokens": max(sum(_lengths(row)) for row in rows),
    }


def _prices(found: Fit, group: _Windows, origin: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    sums = list(_sums(found.nodes, origin))
    for (component, _, where), price in zip(
        sums, found.priced_each([parts for _, parts, _ in sums]), strict=True
    ):
        yield {
            "component": component.value,
            "price_joules": price.joules,
            "price_low_joules": price.low_joules,
            "price_high_joules": price.high_joules,
            "price_seconds": price.seconds,
            **where,
        }
    yield from _idle(group)


def _sums(
    nodes: Sequence[float], origin: Mapping[str, Any]
) -> Iterator[tuple[Component, tuple[float, ...], dict[str, float]]]:
    """Each price of a list, how much of each term it holds, and the batch size and context it is of."""
    steps = dict(zip(nodes, np.eye(len(nodes)), strict=True))
    none = np.zeros(len(nodes))
    yield Component.PREFILL_TERM, (1, 0, 0, *none), {}
    yield Component.PAIR_TERM, (0, 1, 0, *none), {}
    yield Component.CONTEXT_TERM, (0, 0, 1, *none), {}
    for batch, share in steps.items():
        yield Component.STEP_TERM, (0, 0, 0, *share), {"batch_size": batch}
    for length in PROMPTS:
        if origin["shortest_prompt_tokens"] <= length <= origin["longest_prompt_tokens"]:
            yield Component.PREFILL_TOKEN, (1, length / 2, 0, *none), {"context_tokens": length}
    for batch, share in steps.items():
        for held in CONTEXTS:
            if held <= origin["longest_context_tokens"]:
                where = {"batch_size": batch, "context_tokens": held}
                yield Component.DECODE_TOKEN, (0, 0, held, *(share / batch)), where


def _idle(group: _Windows) -> Iterator[dict[str, Any]]:
    """Measured, not fitted: windows at rate 0, or else the readings after the servers' starts."""
    watts = [row["energy_joules"] / row["window_seconds"] for row in group.idle]
    known = [row["idle_watts_loaded"] for row in group.fit if row["idle_watts_loaded"] is not None]
    values = np.array(watts or sorted(set(known)), dtype=float)
    if not len(values):
        return
    mean, half = float(values.mean()), None
    if len(values) > 1:
        from scipy.special import stdtrit  # here, as in `fit`

        half = float(stdtrit(len(values) - 1, 0.975) * values.std(ddof=1) / np.sqrt(len(values)))
    yield {
        "component": Component.IDLE_SECOND.value,
        "price_joules": mean,
        "price_low_joules": None if half is None else max(0.0, mean - half),
        "price_high_joules": None if half is None else mean + half,
        "price_seconds": 1.0,
    }


def by_component(rows: Iterable[Row]) -> dict[tuple[str, Any], Row]:
    """The rows of one list that do not depend on context, by component and batch size."""
    return {(row["component"], row["batch_size"]): row for row in rows if row["context_tokens"] is None}


def _read(rows: list[Row]) -> tuple[Fit, float | None]:
    """The fit that these rows of `FITS` are of, without its intervals, and the idle power."""
    priced = by_component(rows)
    nodes = sorted(batch for component, batch in priced if component == Component.STEP_TERM)
    terms = [
        *((term, None) for term in (Component.PREFILL_TERM, Component.PAIR_TERM, Component.CONTEXT_TERM)),
        *((Component.STEP_TERM, node) for node in nodes),
    ]
    joules, seconds = (
        tuple(priced[term][column] for term in terms) for column in ("price_joules", "price_seconds")
    )
    idle = priced.get((Component.IDLE_SECOND, None))
    return Fit(tuple(nodes), joules, seconds), None if idle is None else idle["price_joules"]
