"""The price of a request at a load, from published prices. Beyond what was measured there is none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmark_tasks.errors import SettingsError
from expectations.prices.bounds import Bounds

JOULES_PER_KWH = 3.6e6
STEPS = 200
"""Batch sizes that are tried for a load, evenly spread over the measured ones on a logarithmic scale."""


@dataclass(frozen=True)
class Prices:
    """Published prices of one model on one GPU model; each pair is (joules, seconds).

    decode_steps: a pair per measured batch size.
    bounds: the intervals of the prices; `None` where they are not known.
    """

    prefill_token: tuple[float, float]
    prefill_pair: tuple[float, float]
    context_token: tuple[float, float]
    decode_steps: dict[float, tuple[float, float]]
    idle_watts: float
    shortest_prompt_tokens: int
    longest_prompt_tokens: int
    longest_context_tokens: int
    held_out_error: float
    bounds: Bounds | None = None

    def step(self, batch: float) -> np.ndarray:
        """(joules, seconds) of a decode step."""
        sizes = sorted(self.decode_steps)
        return np.array(
            [np.interp(batch, sizes, [self.decode_steps[size][what] for size in sizes]) for what in (0, 1)]
        )

    def decode_token(self, context: float, batch: float) -> float:
        """Joules of a token after the first one, at a held context and a batch size."""
        return float(self.step(batch)[0] / batch + self.context_token[0] * context)


@dataclass(frozen=True)
class RequestPrice:
    """Joules of a request: of its prompt, of its answer, and its part of the time in which nothing is asked.

    interval_joules: 95 % interval of the whole request (`bounds`); `None` where that of a part is not known.
    batch_size: answers in flight at this load. held_out_error: the largest error of the prices on loads that
    they were not fitted to, as a share.
    """

    prefill_joules: float
    decode_joules: float
    idle_joules: float
    batch_size: float
    requests_per_second: float
    held_out_error: float
    interval_joules: tuple[float, float] | None = None

    @property
    def joules(self) -> float:
        """Of the whole request."""
        return self.prefill_joules + self.decode_joules + self.idle_joules

    @property
    def requests_per_kwh(self) -> float:
        """How many such requests a kilowatt-hour answers."""
        return JOULES_PER_KWH / self.joules


def price_of(prices: Prices, *, prompt: int, answer: int, load: float) -> RequestPrice:
    """Price a request in a stream of such requests.

    load: share of the most requests per second that the largest measured batch size answers. The number of
    answers in flight is the batch size at which a closed loop answers as many requests per second. Below the
    smallest one, the server is idle in between.

    Raises:
        SettingsError: lengths or load are outside what was measured.
    """
    _require_measured(prices, prompt, answer)
    if not 0 < load <= 1:
        raise SettingsError(f"load {load:g}: give a share above 0 and at most 1")
    smallest, largest = float(min(prices.decode_steps)), float(max(prices.decode_steps))
    sizes = smallest * (largest / smallest) ** (np.arange(STEPS) / (STEPS - 1))
    spent = np.array([_spent(prices, prompt, answer, size) for size in sizes])
    rates = np.maximum.accumulate(1 / spent[:, :, 1].sum(axis=1))
    wanted = load * rates[-1]
    if wanted < rates[0] and smallest > 1:
        raise SettingsError(
            f"load {load:g}: fewer than {smallest:g} answers in flight were not measured; at these lengths"
            f" give at least {np.ceil(100 * rates[0] / rates[-1]) / 100:.2f}"
        )
    place = int(np.searchsorted(rates, wanted))
    (prefill, _), (decode, _) = spent[place]
    idle_seconds, batch = max(0.0, float(1 / wanted - 1 / rates[0])), float(sizes[place])
    return RequestPrice(
        float(prefill),
        float(decode),
        idle_seconds * prices.idle_watts,
        batch,
        float(wanted),
        prices.held_out_error,
        None if prices.bounds is None else prices.bounds.of_request(prompt, answer, batch, idle_seconds),
    )


def joules_at(prices: Prices, *, prompt: int, answer: float, batch: float) -> float:
    """Joules of a request with so many answers in flight. answer: tokens, or their mean.

    Raises:
        SettingsError: lengths or answers in flight are outside what was measured.
    """
    _require_measured(prices, prompt, answer)
    smallest, largest = min(prices.decode_steps), max(prices.decode_steps)
    if not smallest <= batch <= largest:
        raise SettingsError(
            f"{batch:g} answers in flight: {smallest:g} to {largest:g} were measured; there is no price"
        )
    return float(_spent(prices, prompt, answer, batch)[:, 0].sum())


def _require_measured(prices: Prices, prompt: int, answer: float) -> None:
    low, high, held = (
        prices.shortest_prompt_tokens,
        prices.longest_prompt_tokens,
        prices.longest_context_tokens,
    )
    if not low <= prompt <= high:
        raise SettingsError(
            f"prompt {prompt}: prompts of {low} to {high} tokens were measured; there is no price"
        )
    if answer < 1 or prompt + answer > held:
        raise SettingsError(
            f"answer {answer:g}: together with the prompt at most {held} tokens were measured; no price"
        )


def _spent(prices: Prices, prompt: int, answer: float, batch: float) -> np.ndarray:
    """((joules, seconds) of the prompt, (joules, seconds) of the answer) of one request."""
    token, pair, context = map(np.array, (prices.prefill_token, prices.prefill_pair, prices.context_token))
    decoded = answer - 1
    prefill = token * prompt + pair * prompt**2 / 2
    decode = prices.step(batch) * decoded / batch + context * decoded * (prompt + 1 + decoded / 2)
    return np.array([prefill, decode])
