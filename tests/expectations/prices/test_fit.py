"""Energy prices of simulated loads whose joules per token are known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from benchmark_tasks.errors import SettingsError
from benchmark_tasks.plan.prices import MIXES, DesignedLoad
from expectations.prices import Measured, NotTold, Prices, Work, fit, price_of
from expectations.prices.bounds import Bounds
from expectations.prices.fit import Fit, shares
from expectations.prices.lists import _prices, _Windows
from expectations.prices.published import _bounds
from expectations.prices.works import Works
from tests.expectations.prices.known import (
    CONTEXT,
    IDLE_WATTS,
    LOADS,
    PAIR,
    PREFILL,
    STEPS,
    joules_of,
    work_of,
)

NODES = tuple(STEPS)


def measured(
    loads: Sequence[DesignedLoad], truth: Callable[[Work], float] = joules_of, error: float = 0.0
) -> Measured:
    works = [work_of(load) for load in loads]
    joules = np.array([truth(work) for work in works])
    return Measured(Works.of(works), joules, joules / 500, np.full(len(works), error))


def predicted(found: Fit, *works: Work) -> list[float]:
    return list(map(float, found.joules_of(Works.of(works))))


@pytest.mark.parametrize("core", [True, False])
def test_the_fit_finds_the_known_prices(core: bool) -> None:
    found = fit(measured([load for load in LOADS if load.is_core or not core]), NODES)
    assert found.joules == pytest.approx((PREFILL, PAIR, CONTEXT, *STEPS.values()), rel=1e-6)
    assert np.multiply(found.seconds, 500) == pytest.approx(found.joules, rel=1e-6)
    mixes = [work_of(mix) for mix in MIXES]
    assert predicted(found, *mixes) == pytest.approx([joules_of(mix) for mix in mixes], rel=1e-6)


def test_an_interval_holds_the_price_and_grows_with_the_error_of_the_windows() -> None:
    exact, rough = (fit(measured(LOADS, error=error), NODES) for error in (0.001, 0.01))
    for place, true in enumerate(exact.joules):
        term = np.eye(len(exact.joules))[place]
        narrow, wide = exact.priced(*term), rough.priced(*term)
        assert narrow.low_joules < true < narrow.high_joules
        assert wide.high_joules - wide.low_joules > 3 * (narrow.high_joules - narrow.low_joules)


def test_what_a_pair_costs_is_taken_over_where_loads_do_not_tell_it() -> None:
    """A GPU that needs a fifth more for everything: its loads have one length of prompt alone."""
    whole = fit(measured(LOADS, error=0.01), NODES)
    fewer = [load for load in LOADS if load.answer_tokens > 1 or load.prompt_tokens == 512]
    few = [load for load in fewer if load.is_core]
    dearer = measured(few, lambda work: 1.2 * joules_of(work))
    with pytest.raises(NotTold):
        fit(dearer, NODES)
    found = fit(dearer, NODES, whole)
    true = 1.2 * np.array((PREFILL, PAIR, CONTEXT, *STEPS.values()))
    assert found.joules == pytest.approx(true, rel=1e-6)
    pair = found.priced(0, 1, 0, *np.zeros(len(NODES)))
    assert pair.low_joules < true[1] < pair.high_joules, "the interval is that of the other fit"
    assert found.seconds[1] / found.seconds[0] == pytest.approx(PAIR / PREFILL)


def test_a_truth_of_another_form_is_missed_on_the_mixes() -> None:
    def cubic(work: Work) -> float:
        held = work.context_tokens / work.decode_tokens if work.decode_tokens else 0.0
        return joules_of(work) * (1 + (held / 6000) ** 2)

    found = fit(measured(LOADS, cubic), NODES)
    errors = [predicted(found, work_of(mix))[0] / cubic(work_of(mix)) - 1 for mix in MIXES]
    assert max(map(abs, errors)) > 0.05


def test_idle_time_has_its_price() -> None:
    found = fit(measured(LOADS), NODES)
    quiet = Works.of([Work(0, 0, idle_seconds=10)])
    assert found.joules_of(quiet, IDLE_WATTS) == pytest.approx(1200)


def test_one_task_at_several_batch_sizes_does_not_tell_prompts_from_answers() -> None:
    chat = [DesignedLoad(300, 600, size) for size in (1, 8, 16, 32, 64, 128, 256)]
    with pytest.raises(NotTold, match="always go together"):
        fit(measured(chat), NODES)
    with pytest.raises(NotTold, match="3 windows do not tell 7 prices"):
        fit(measured(chat[:3]), NODES)


PRICES = Prices(
    prefill_token=(PREFILL, PREFILL / 600),
    prefill_pair=(PAIR, PAIR / 600),
    context_token=(CONTEXT, CONTEXT / 600),
    decode_steps={size: (joules, joules / 500) for size, joules in STEPS.items()},
    idle_watts=IDLE_WATTS,
    shortest_prompt_tokens=128,
    longest_prompt_tokens=16_384,
    longest_context_tokens=19_456,
    held_out_error=0.03,
)


def test_a_request_at_full_load_costs_its_prompt_and_its_share_of_each_step() -> None:
    price = price_of(PRICES, prompt=1000, answer=101, load=1.0)
    assert price.batch_size == pytest.approx(256)
    assert price.prefill_joules == pytest.approx(PREFILL * 1000 + PAIR * 500_000)
    assert price.decode_joules == pytest.approx(100 * (9 / 256) + CONTEXT * 100 * 1051)
    assert price.idle_joules == 0 and price.joules == price.prefill_joules + price.decode_joules


BOUNDS = Bounds(
    prompt=((0.0, 0.019, 0.021), (1_000.0, 0.020, 0.022), (2_000.0, 0.021, 0.023)),
    pair=(1e-6, 3e-6),
    decode={
        8.0: ((0.0, 0.30, 0.34), (1_000.0, 0.34, 0.36)),
        64.0: ((0.0, 0.06, 0.07), (1_000.0, 0.09, 0.11)),
    },
    context=(2e-5, 4e-5),
    idle=None,
)


def test_the_interval_of_a_request_is_that_of_its_tokens_at_their_low_or_high_ends() -> None:
    """1,500 prompt tokens at the mean of two lengths; 100 tokens beyond the last context, 8 in flight."""
    low, high = BOUNDS.of_request(1_500, 101, 8.0, 0.0) or (0, 0)
    assert low == pytest.approx(1_500 * 0.0205 + 100 * (0.34 + 551 * 2e-5))
    assert high == pytest.approx(1_500 * 0.0225 + 100 * (0.36 + 551 * 4e-5))


def test_between_two_batch_sizes_a_token_is_a_mean_of_theirs() -> None:
    """36 is half-way from 8 to 64: of its step, 4/36 is that of 8 answers and 32/36 that of 64."""
    low, high = BOUNDS.of_request(1_000, 2, 36.0, 0.0) or (0, 0)
    assert low - 1_000 * 0.020 == pytest.approx(4 / 36 * (0.34 + 1.5 * 2e-5) + 32 / 36 * (0.09 + 1.5 * 2e-5))
    assert high - 1_000 * 0.022 == pytest.approx(4 / 36 * (0.36 + 1.5 * 4e-5) + 32 / 36 * (0.11 + 1.5 * 4e-5))


def test_beyond_the_last_length_pairs_are_added_and_idle_time_needs_its_own_interval() -> None:
    low, high = BOUNDS.of_request(3_000, 1, 8.0, 0.0) or (0, 0)
    assert (low, high) == pytest.approx((3_000 * (0.021 + 0.0005), 3_000 * (0.023 + 0.0015)))
    assert BOUNDS.of_request(3_000, 1, 8.0, 2.0) is None
    idle = replace(BOUNDS, idle=(110.0, 130.0)).of_request(3_000, 1, 8.0, 2.0)
    assert idle == pytest.approx((low + 220, high + 260))


@pytest.mark.parametrize(
    ("prompt", "answer", "batch"),
    [(128, 1, 64.0), (1_200, 400, 20.0), (700, 90, 256.0), (9_000, 3_000, 100.0), (16_000, 2_000, 1.0)],
)
def test_the_interval_of_a_request_holds_that_of_all_its_terms_together(
    scattered: Fit, prompt: int, answer: int, batch: float
) -> None:
    """The replicates of the fit know how its terms go together; the published intervals do not."""
    decoded = answer - 1
    steps = shares(batch, NODES) * decoded / batch
    together = scattered.priced(prompt, prompt**2 / 2, decoded * (prompt + 1 + decoded / 2), *steps)
    low, high = bounds_of(scattered).of_request(prompt, answer, batch, 0.0) or (0, 0)
    assert low <= together.low_joules * (1 + 1e-9) and together.high_joules <= high * (1 + 1e-9)
    assert high - low < 3 * (together.high_joules - together.low_joules), "and is not useless"


@pytest.fixture(scope="module")
def scattered() -> Fit:
    """A fit to loads that are off by 2 % by chance."""
    drawn = np.random.default_rng(3)
    exact = measured(LOADS)
    return fit(replace(exact, joules=exact.joules * drawn.normal(1, 0.02, len(LOADS))), NODES)


def bounds_of(found: Fit) -> Bounds:
    """As they are read from the rows of the list."""
    lengths = {
        "shortest_prompt_tokens": 128,
        "longest_prompt_tokens": 16_384,
        "longest_context_tokens": 19_456,
    }
    windows = _Windows(idle=[{"energy_joules": 7_200.0, "window_seconds": 60.0}])
    rows = [{"batch_size": None, "context_tokens": None, **row} for row in _prices(found, windows, lengths)]
    return _bounds(rows)


def test_a_lower_load_has_fewer_answers_in_flight_and_costs_more() -> None:
    half, full = (price_of(PRICES, prompt=500, answer=400, load=load) for load in (0.5, 1.0))
    assert half.batch_size < full.batch_size and half.joules > full.joules
    assert half.requests_per_second == pytest.approx(full.requests_per_second / 2)


def test_below_one_answer_in_flight_the_server_is_idle_in_between() -> None:
    price = price_of(PRICES, prompt=500, answer=400, load=0.001)
    assert price.batch_size == 1 and price.idle_joules > price.decode_joules


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"prompt": 20_000}, "prompt 20000: prompts of 128 to 16384 tokens were measured"),
        ({"prompt": 5}, "prompt 5: prompts of"),
        ({"prompt": 16_000, "answer": 10_000}, "at most 19456 tokens were measured"),
        ({"answer": 0}, "answer 0"),
        ({"load": 0.0}, "above 0 and at most 1"),
        ({"load": 1.2}, "above 0 and at most 1"),
    ],
)
def test_nothing_is_priced_beyond_what_was_measured(asked: dict[str, float], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        price_of(PRICES, **{"prompt": 1000, "answer": 400, "load": 1.0, **asked})  # type: ignore[arg-type]


def test_fewer_answers_in_flight_than_were_measured_have_no_price() -> None:
    steps = {size: step for size, step in PRICES.decode_steps.items() if size > 1}
    with pytest.raises(SettingsError, match="fewer than 8 answers in flight were not measured"):
        price_of(replace(PRICES, decode_steps=steps), prompt=1000, answer=400, load=0.001)
