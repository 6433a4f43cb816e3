"""What a request takes: the answer of the command `jouleboard price`, in the digits of the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, log10
from typing import Any

from benchmark_tasks.errors import SettingsError
from expectations.prices.published import PriceList, choose, price_lists
from expectations.prices.request import RequestPrice, price_of
from expectations.publications import Publication
from expectations.publications.queries import open_publication
from expectations.sql import rows_of_query

MART = "energy_prices"
BASIS = "a model fitted to measurements"
DIGITS = 4
"""Significant digits of a price; the page shows the same."""

COLUMNS = (
    "model_id",
    "weight_precision",
    "gpu_model",
    "num_gpus",
    "runtime",
    "runtime_version",
    "weights",
    "prompt_tokens",
    "answer_tokens",
    "load",
    "request_joules",
    "request_low_joules",
    "request_high_joules",
    "prefill_joules",
    "decode_joules",
    "idle_joules",
    "answers_in_flight",
    "requests_per_second",
    "requests_per_kwh",
    "held_out_error",
    "basis",
)
"""Of the CSV."""


@dataclass(frozen=True)
class Answers:
    """Prices of one request at several loads, and the list that they come from.

    other_versions: versions that have a list, too.
    """

    price_list: PriceList
    other_versions: tuple[str, ...]
    prompt: int
    answer: int
    prices: tuple[tuple[float, RequestPrice], ...]

    def records(self) -> list[dict[str, Any]]:
        """One dict per load, in `COLUMNS`."""
        return [
            {key: self.price_list.keys[key] for key in COLUMNS if key in self.price_list.keys}
            | {
                "prompt_tokens": self.prompt,
                "answer_tokens": self.answer,
                "load": load,
                "request_joules": price.joules,
                "request_low_joules": price.interval_joules and price.interval_joules[0],
                "request_high_joules": price.interval_joules and price.interval_joules[1],
                "prefill_joules": price.prefill_joules,
                "decode_joules": price.decode_joules,
                "idle_joules": price.idle_joules,
                "answers_in_flight": price.batch_size,
                "requests_per_second": price.requests_per_second,
                "requests_per_kwh": price.requests_per_kwh,
                "held_out_error": price.held_out_error,
                "basis": BASIS,
            }
            for load, price in self.prices
        ]


def lists_of(published: Publication) -> list[PriceList]:
    """The price lists of a publication; none where it was published before there were prices."""
    with open_publication(published) as connection:
        if (MART,) not in connection.execute("select table_name from duckdb_tables()").fetchall():
            return []
        return price_lists(rows_of_query(connection, f"from {MART}"))


def answers(
    lists: Sequence[PriceList], *, prompt: int, answer: int, loads: Sequence[float], **asked: Any
) -> Answers:
    """Price a request at each of the loads. asked: as in `choose`.

    Raises:
        SettingsError: no list, several lists, or outside what was measured.
    """
    found, others = choose(lists, **asked)
    priced = []
    for load in loads:
        try:
            priced.append((load, price_of(found.prices, prompt=prompt, answer=answer, load=load)))
        except SettingsError as error:
            raise SettingsError(f"{error} ({found.name})") from error
    return Answers(found, others, prompt, answer, tuple(priced))


def in_words(
    found: Answers,
) -> tuple[str, tuple[tuple[str, ...], list[tuple[str, ...]]], tuple[str, ...]]:
    """A line before, a table with its header, and lines after it."""
    header = (
        *("load", "request J", "95 % interval", "prompt J", "answer J", "idle J"),
        *("in flight", "requests/s", "requests/kWh"),
    )
    rows = [
        (
            f"{load:g}",
            digits(price.joules),
            interval(price),
            *map(
                digits,
                (
                    price.prefill_joules,
                    price.decode_joules,
                    price.idle_joules,
                    price.batch_size,
                    price.requests_per_second,
                    price.requests_per_kwh,
                ),
            ),
        )
        for load, price in found.prices
    ]
    of = found.price_list
    foot = [
        "the interval is that of the fit: every part at its low or its high end at once, so 95 % at least",
        f"no measurement: {BASIS}; it misses {of.keys['proof_loads']} measured loads that it was not fitted"
        f" to by at most {100 * of.prices.held_out_error:.1f} %",
    ]
    if of.keys["other_gpus_loads"]:
        foot.append(
            f"on other {of.keys['gpu_model']}s it misses {of.keys['other_gpus_loads']} loads by at most"
            f" {100 * of.keys['other_gpus_error']:.1f} %"
        )
    if found.other_versions:
        foot.append(f"the newest version; --version chooses another one: {', '.join(found.other_versions)}")
    return f"{of.name}: prompt {found.prompt}, answer {found.answer} tokens", (header, rows), tuple(foot)


def interval(price: RequestPrice) -> str:
    """The interval of a whole request; a dash where it is not known."""
    ends = price.interval_joules
    return "-" if ends is None else f"{digits(ends[0])} to {digits(ends[1])}"


def digits(value: float) -> str:
    """Four significant digits, without an exponent. The page's script does the same."""
    if value == 0:
        return "0"
    return f"{value:.{max(0, DIGITS - 1 - floor(log10(abs(value))))}f}"
