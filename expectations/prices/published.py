"""Price lists of a publication: read from its marts, and the one that was asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from packaging.version import InvalidVersion, Version

from benchmark_tasks.errors import SettingsError
from benchmark_tasks.plan.versions import how_started
from expectations.prices.bounds import Bounds, Ends, Places
from expectations.prices.lists import Component, by_component
from expectations.prices.request import Prices

Row = Mapping[str, Any]


@dataclass(frozen=True)
class PriceList:
    """Prices of one model, GPUs, version and weights, with what they are of.

    keys: the columns of `energy_prices` that say so, by name.
    """

    id: str
    keys: Mapping[str, Any]
    prices: Prices

    @property
    def name(self) -> str:
        """For people, as long as it must be to tell lists apart."""
        return setup_name(self.keys)


KEYS = (
    "nickname",
    "model_id",
    "weight_precision",
    "gpu_model",
    "num_gpus",
    "tensor_parallel",
    "expert_parallel",
    "data_parallel",
    "runtime",
    "runtime_version",
    "power_limit_watts",
    "weights",
    "model_revision",
    "loads",
    "runs",
    "proof_loads",
    "gpu_uuids",
    "other_gpus_error",
    "other_gpus_loads",
)


def price_lists(rows: Iterable[Row]) -> list[PriceList]:
    """The lists that these rows of `energy_prices` make up; those without an idle power are left out."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row["price_list_id"], []).append(row)
    lists = [_list(list_id, group) for list_id, group in groups.items()]
    return sorted((each for each in lists if each), key=lambda each: (each.name, each.id))


def choose(
    lists: Sequence[PriceList],
    *,
    model: str,
    gpu: str,
    version: str | None = None,
    weights: str | None = None,
    precision: str | None = None,
    gpus: int | None = None,
) -> tuple[PriceList, tuple[str, ...]]:
    """The list of a model on a GPU model, and other versions that have one.

    model: its id or display name. Of several versions the newest.

    Raises:
        SettingsError: there is none, or several that these options do not tell apart.
    """
    if not lists:
        raise SettingsError(
            "this publication has no energy prices: jouleboard plan-prices plans the loads to measure,"
            " and a list must miss none of its proofs by more than 5 %"
        )
    asked = {"runtime_version": version, "weights": weights, "weight_precision": precision, "num_gpus": gpus}
    known = {key: value for key, value in asked.items() if value is not None}
    of_both = [each for each in lists if is_of(each.keys, model, gpu)]
    found = [each for each in of_both if all(each.keys[key] == value for key, value in known.items())]
    if not found:
        what = f"{model} on {gpu}" if not of_both else f"{model} on {gpu} with these options"
        here = "; ".join(each.name for each in (of_both or lists))
        raise SettingsError(f"no price list of {what}; there is: {here}")
    newest = max((each.keys["runtime_version"] for each in found), key=version_order)
    several = [each for each in found if each.keys["runtime_version"] == newest]
    if len(several) > 1:
        raise SettingsError(
            "several price lists, choose with --weights, --precision or --gpus: "
            + "; ".join(each.name for each in several)
        )
    others = sorted(
        {each.keys["runtime_version"] for each in found} - {newest}, key=version_order, reverse=True
    )
    return several[0], tuple(others)


def setup_name(keys: Row) -> str:
    """What was measured, for people: model, GPUs, version and weights."""
    cap = f"cap {keys['power_limit_watts']:g} W" if keys["power_limit_watts"] is not None else None
    parts = (
        f"{keys['model_id']} ({keys['weight_precision']})",
        f"{keys['num_gpus']}x {keys['gpu_model']}",
        f"{keys['runtime']} {keys['runtime_version']}",
        f"{keys['weights']} weights",
        keys["model_revision"] and f"revision {keys['model_revision'][:12]}",
        cap,
    )
    return ", ".join(filter(None, parts))


def is_of(keys: Row, model: str, gpu: str) -> bool:
    """Whether it is of this model, by its id or display name, on this GPU model."""
    names = {keys["model_id"].casefold(), keys["nickname"].casefold()}
    return model.casefold() in names and gpu.casefold() == keys["gpu_model"].casefold()


def version_order(version: str) -> tuple[bool, int, Version, str]:
    """Version numbers in their order, behind names that are none; servers started with options behind all."""
    as_usual = not how_started(version)
    with suppress(InvalidVersion):
        return as_usual, 1, Version(version), version
    return as_usual, 0, Version("0"), version


def _list(list_id: str, rows: Sequence[Row]) -> PriceList | None:
    of = by_component(rows)
    if (Component.IDLE_SECOND, None) not in of:
        return None
    prefill, pair, context = (
        _pair(of[term, None])
        for term in (Component.PREFILL_TERM, Component.PAIR_TERM, Component.CONTEXT_TERM)
    )
    steps = {batch: row for (component, batch), row in of.items() if component == Component.STEP_TERM}
    first = rows[0]
    return PriceList(
        list_id,
        {key: first.get(key) for key in KEYS},
        Prices(
            prefill_token=prefill,
            prefill_pair=pair,
            context_token=context,
            decode_steps={float(batch): _pair(row) for batch, row in sorted(steps.items())},
            idle_watts=of[Component.IDLE_SECOND, None]["price_joules"],
            shortest_prompt_tokens=first["shortest_prompt_tokens"],
            longest_prompt_tokens=first["longest_prompt_tokens"],
            longest_context_tokens=first["longest_context_tokens"],
            held_out_error=first["held_out_error"],
            bounds=_bounds(rows),
        ),
    )


def _bounds(rows: Sequence[Row]) -> Bounds:
    """The intervals of a list's prices. What a token costs at length or context 0 is the term by itself."""
    of = by_component(rows)
    idle = _ends(of[Component.IDLE_SECOND, None])
    steps = {batch: row for (component, batch), row in of.items() if component == Component.STEP_TERM}
    decode = {}
    for batch, row in steps.items():
        low, high = _ends(row) or (0.0, 0.0)
        decode[float(batch)] = _places((low / batch, high / batch), rows, Component.DECODE_TOKEN, batch)
    prefill, pair, context = (
        _ends(of[term, None]) or (0.0, 0.0)
        for term in (Component.PREFILL_TERM, Component.PAIR_TERM, Component.CONTEXT_TERM)
    )
    prompt = _places(prefill, rows, Component.PREFILL_TOKEN, None)
    return Bounds(prompt=prompt, pair=pair, decode=decode, context=context, idle=idle)


def _places(first: Ends, rows: Sequence[Row], component: Component, batch: float | None) -> Places:
    """The intervals of a component by length or context, from 0 on."""
    found = [row for row in rows if (row["component"], row["batch_size"]) == (component, batch)]
    further = sorted(
        (float(row["context_tokens"]), row["price_low_joules"], row["price_high_joules"]) for row in found
    )
    return ((0.0, *first), *further)


def _ends(row: Row) -> Ends | None:
    """Low and high end of a price; `None` where it has no interval."""
    low, high = row["price_low_joules"], row["price_high_joules"]
    return None if low is None or high is None else (low, high)


def _pair(row: Row) -> tuple[float, float]:
    return row["price_joules"], row["price_seconds"]
