"""Checks of `energy_prices`: a model is published only with its proof; prices follow from its terms."""

from __future__ import annotations

from expectations.suites.checks import Severity, Tolerance
from expectations.suites.mart_check import MartCheck, critical

MOST_ERROR, FEWEST_PROOFS = 0.05, 2

_SUMS = """
(
    select
        price_list_id,
        max(price_joules) filter (component = 'prefill_term') as prefill,
        max(price_joules) filter (component = 'pair_term') as pair,
        max(price_joules) filter (component = 'context_term') as context
    from candidate.marts.energy_prices
    group by price_list_id
)
"""
_PROOFS = """
(
    select
        price_list_id,
        count(*) filter (where is_on_fitted_gpus) as proofs,
        max(abs(error)) filter (where is_on_fitted_gpus) as largest_error,
        count(*) filter (where not is_on_fitted_gpus) as others,
        max(abs(error)) filter (where not is_on_fitted_gpus) as largest_elsewhere
    from candidate.marts.energy_price_proof
    where is_within_measured
    group by price_list_id
)
"""
TABLE = f"""
candidate.marts.energy_prices as prices
left join {_SUMS} using (price_list_id)
left join {_PROOFS} using (price_list_id)
left join (
    select price_list_id, batch_size, price_joules as step
    from candidate.marts.energy_prices
    where component = 'step_term'
) using (price_list_id, batch_size)
"""
ROW_NAME_SQL = (
    "concat_ws(' | ', model_id, concat(num_gpus, 'x ', gpu_model), runtime_version, component, batch_size,"
    " context_tokens, left(price_id, 8))"
)

CHECKS = (
    MartCheck("key_is_unique", Severity.CRITICAL, "a price appears twice", unique=("price_id",)),
    critical(
        "price_is_no_measured_row",
        "a price does not say that it is a model fitted to measurements",
        "basis is distinct from case component when 'idle_second' then 'measured'"
        " else 'a model fitted to measurements' end",
    ),
    critical(
        "price_list_is_proven",
        "a price list misses a load that it was not fitted to by more than 5 %, or has no proof",
        "held_out_error",
        within=Tolerance(0, MOST_ERROR, "", "what the issue of energy prices asks"),
    ),
    critical(
        "error_beside_price_is_that_of_the_proof",
        "the error beside a price, or the number of its proofs, is not that of energy_price_proof",
        f"coalesce(abs(held_out_error - largest_error) > 1e-12 or proof_loads <> proofs"
        f" or proofs < {FEWEST_PROOFS}, true)",
    ),
    critical(
        "error_on_other_gpus_is_that_of_the_proof",
        "the error of a list on other GPUs, or the number of these loads, is not that of energy_price_proof",
        "other_gpus_loads is distinct from others"
        " or (other_gpus_error is null) <> (largest_elsewhere is null)"
        " or abs(other_gpus_error - largest_elsewhere) > 1e-12",
    ),
    critical(
        "price_is_not_negative",
        "a price in joules or seconds is negative or missing",
        "coalesce(price_joules < 0 or price_seconds < 0, true)",
    ),
    critical(
        "price_interval_holds_it",
        "a price is outside its own interval, or a fitted one has none",
        "price_low_joules > price_joules or price_high_joules < price_joules"
        " or (component <> 'idle_second' and (price_low_joules is null or price_high_joules is null))",
    ),
    critical(
        "price_follows_from_terms",
        "the price of a token is not the sum of its terms",
        "case component"
        " when 'prefill_token' then price_joules / nullif(prefill + pair * context_tokens / 2, 0)"
        " when 'decode_token' then price_joules / nullif(step / batch_size + context * context_tokens, 0)"
        " end",
        within=Tolerance(1 - 1e-9, 1 + 1e-9, "", "one is worked out from the others"),
    ),
    critical(
        "price_of_a_token_is_plausible",
        "the price of a token is outside what any GPU takes",
        "case when component in ('prefill_token', 'decode_token') then price_joules end",
        within=Tolerance(1e-6, 1e3, "J", "as energy per token on the leaderboard, prompts a hundredth of it"),
    ),
    critical(
        "priced_power_is_plausible",
        "joules over seconds of a step or an idle second, per GPU, are outside what a GPU draws",
        "case when component in ('step_term', 'idle_second') and price_joules > 0"
        " then price_joules / nullif(price_seconds, 0) / nullif(num_gpus, 0) end",
        within=Tolerance(10, 2000, "W", "from below any idle GPU to above any limit of power"),
    ),
)
