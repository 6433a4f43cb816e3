"""Price lists: one fit per model, GPUs, version and weights, and what it says of loads that it has not seen.

GPUs of one model differ by several percent, and not alike at every load, so a list is fitted to the loads
of one GPU (or set of GPUs): that with the most different designed loads. Those of others are loads that it
has not seen. Where the loads of that GPU hold prompts of too few lengths, what a pair of prompt tokens costs
relative to a token is taken from the next GPU whose loads tell it, and these are no proof.

Read and written are plain tables: dbt calls these functions (`int_price_fits`, `int_price_predictions`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.stats import t as student

from expectations.prices.fit import Fit, Measured, NotTold, Price, fit
from expectations.prices.work import Decoding, Work

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

_READ = (
    "price_list_id",
    "run_id",
    "used_for",
    "gpu_uuids",
    "batch_size",
    "fixed_prompt_tokens",
    "fixed_answer_tokens",
    "energy_joules",
    "window_seconds",
    "relative_error",
    "idle_watts_loaded",
    "prefill_tokens",
    "prefill_pairs",
    "idle_seconds",
)
"""Columns of windows."""

Row = Mapping[str, Any]


@dataclass
class _Windows:
    """The windows of one price list, by what they are used for."""

    fit: list[Row] = field(default_factory=list)
    proof: list[Row] = field(default_factory=list)
    idle: list[Row] = field(default_factory=list)

    def on(self, gpus: str | None) -> _Windows:
        """Those of these GPUs."""
        return _Windows(
            *([row for row in rows if row["gpu_uuids"] == gpus] for rows in (self.fit, self.proof, self.idle))
        )


def fitted(windows: pa.Table, decoding: pa.Table) -> pa.Table:
    """Fit every price list whose loads tell its prices apart.

    Args:
        windows: rows of `int_priced_windows`. decoding: rows of `stg_jouleboard__window_decoding`.

    Returns:
        Rows of `FITS`.
    """
    windows = windows.filter(pc.not_equal(windows["used_for"], "proof"))
    parts = _by_run(decoding, windows)
    rows: list[dict[str, Any]] = []
    for list_id, group in sorted(_by_list(windows).items()):
        chosen = _fit_of_one_gpu(group, parts)
        if chosen is not None:
            found, gpus, pair_gpus = chosen
            on_gpus = group.on(gpus)
            common = {"price_list_id": list_id, "gpu_uuids": gpus, "pair_gpu_uuids": pair_gpus}
            common |= _origin(on_gpus.fit)
            rows += [common | priced for priced in _prices(found, on_gpus, common)]
    return pa.Table.from_pylist(rows, schema=FITS)


def _fit_of_one_gpu(
    group: _Windows, parts: Mapping[str, tuple[Decoding, ...]]
) -> tuple[Fit, str | None, str | None] | None:
    """The fit, its GPUs, and those that told what a pair costs, if others did. `None`: no GPU tells any."""
    order = _most_measured_first(group.fit)
    measured = {gpus: [_measured(row, parts) for row in group.on(gpus).fit] for gpus in order}
    whole: dict[str | None, Fit] = {}
    for gpus in order:
        with suppress(NotTold):
            whole[gpus] = fit(measured[gpus], _nodes(group.on(gpus).fit))
    for gpus in order:
        if gpus in whole:
            return whole[gpus], gpus, None
        for pair_gpus, other in whole.items():
            with suppress(NotTold):
                return fit(measured[gpus], _nodes(group.on(gpus).fit), other), gpus, pair_gpus
    return None


def predicted(windows: pa.Table, decoding: pa.Table, fits: pa.Table) -> pa.Table:
    """What each price list says of the windows that it was not fitted to: rows of `PREDICTIONS`."""
    windows = windows.filter(pc.is_in(windows["price_list_id"], value_set=fits["price_list_id"]))
    parts, groups = _by_run(decoding, windows), _by_list(windows)
    lists: dict[str, list[Row]] = {}
    for row in fits.to_pylist():
        lists.setdefault(row["price_list_id"], []).append(row)
    rows = []
    for list_id, prices in lists.items():
        found, idle_watts = _read(prices)
        longest = prices[0]["longest_context_tokens"]
        fitted_gpus = (prices[0]["gpu_uuids"], prices[0]["pair_gpu_uuids"])
        elsewhere = [row for row in groups[list_id].fit if row["gpu_uuids"] not in fitted_gpus]
        for row in (*groups[list_id].proof, *elsewhere):
            work = _work(row, parts)
            inside = work.mean_context <= longest and (
                not work.decoding or SMALLEST_SHARE * found.nodes[0] <= work.mean_in_flight <= found.nodes[-1]
            )
            rows.append(
                {
                    "price_list_id": list_id,
                    "run_id": row["run_id"],
                    "predicted_joules": found.joules_of(work, idle_watts or 0.0),
                    "mean_in_flight": work.mean_in_flight,
                    "mean_context_tokens": work.mean_context,
                    "is_within_measured": inside and (idle_watts is not None or work.idle_seconds == 0),
                }
            )
    return pa.Table.from_pylist(rows, schema=PREDICTIONS)


def _by_list(windows: pa.Table) -> dict[str, _Windows]:
    groups: dict[str, _Windows] = {}
    for row in windows.select(_READ).sort_by("run_id").to_pylist():
        group: _Windows = groups.setdefault(row["price_list_id"], _Windows())
        getattr(group, row["used_for"]).append(row)
    return groups


def _most_measured_first(rows: list[Row]) -> list[str | None]:
    """GPUs by how many different loads they were measured with, then by the latest."""
    loads: dict[str | None, set[tuple[int, ...]]] = {}
    for row in sorted(rows, key=lambda row: row["run_id"], reverse=True):
        loads.setdefault(row["gpu_uuids"], set()).add((*_lengths(row), row["batch_size"]))
    return sorted(loads, key=lambda gpus: -len(loads[gpus]))


def _by_run(decoding: pa.Table, windows: pa.Table) -> dict[str, tuple[Decoding, ...]]:
    """Of these windows alone: there are millions of rows of others."""
    wanted = decoding.filter(pc.is_in(decoding["run_id"], value_set=windows["run_id"]))
    columns = ("run_id", "answers_in_flight", "decode_tokens", "context_tokens")
    parts: dict[str, list[Decoding]] = {}
    for run_id, *part in zip(*(wanted[name].to_pylist() for name in columns), strict=True):
        parts.setdefault(run_id, []).append(Decoding(*part))
    return {run: tuple(sorted(rows, key=lambda part: part.in_flight)) for run, rows in parts.items()}


def _work(row: Row, parts: Mapping[str, tuple[Decoding, ...]]) -> Work:
    return Work(
        row["prefill_tokens"], row["prefill_pairs"], parts.get(row["run_id"], ()), row["idle_seconds"]
    )


def _measured(row: Row, parts: Mapping[str, tuple[Decoding, ...]]) -> Measured:
    return Measured(_work(row, parts), row["energy_joules"], row["window_seconds"], row["relative_error"])


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
    steps = dict(zip(found.nodes, np.eye(len(found.nodes)), strict=True))
    none = np.zeros(len(found.nodes))
    yield _row(Component.PREFILL_TERM, found.priced(1, 0, 0, *none))
    yield _row(Component.PAIR_TERM, found.priced(0, 1, 0, *none))
    yield _row(Component.CONTEXT_TERM, found.priced(0, 0, 1, *none))
    for batch, share in steps.items():
        yield _row(Component.STEP_TERM, found.priced(0, 0, 0, *share), batch_size=batch)
    for length in PROMPTS:
        if origin["shortest_prompt_tokens"] <= length <= origin["longest_prompt_tokens"]:
            price = found.priced(1, length / 2, 0, *none)
            yield _row(Component.PREFILL_TOKEN, price, context_tokens=length)
    for batch, share in steps.items():
        for held in CONTEXTS:
            if held <= origin["longest_context_tokens"]:
                price = found.priced(0, 0, held, *(share / batch))
                yield _row(Component.DECODE_TOKEN, price, batch_size=batch, context_tokens=held)
    yield from _idle(group)


def _row(component: Component, price: Price, **where: float) -> dict[str, Any]:
    return {
        "component": component.value,
        "price_joules": price.joules,
        "price_low_joules": price.low_joules,
        "price_high_joules": price.high_joules,
        "price_seconds": price.seconds,
        **where,
    }


def _idle(group: _Windows) -> Iterator[dict[str, Any]]:
    """Measured, not fitted: windows at rate 0, or else the readings after the servers' starts."""
    watts = [row["energy_joules"] / row["window_seconds"] for row in group.idle]
    known = [row["idle_watts_loaded"] for row in group.fit if row["idle_watts_loaded"] is not None]
    values = np.array(watts or sorted(set(known)), dtype=float)
    if not len(values):
        return
    mean, half = float(values.mean()), None
    if len(values) > 1:
        half = float(student.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))
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
