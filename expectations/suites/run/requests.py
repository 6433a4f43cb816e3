"""Requests: all were answered, the ledger agrees, no cache helped, and the load generator kept up."""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmark_tasks.results.tables import Series
from benchmark_tasks.runtimes.kinds import all_kinds
from benchmark_tasks.vocabulary import LengthControl
from expectations.suites.checks import Tolerance
from expectations.suites.landed_runs import LandedRuns
from expectations.suites.run_check import critical, graded, is_true, number, ratio, warning

_LEDGER = Tolerance(0, 0, "apart", "requests.parquet and run.json count the same requests")


def _missing_or_failed(runs: LandedRuns) -> pd.Series:
    missing = runs["requests_sent"] - runs["requests_completed"]
    return pd.Series(np.maximum(missing.abs(), runs["requests_failed"])).where(runs["completed"])


def _counts(runs: LandedRuns) -> pd.Series:
    def whole(name: str) -> pd.Series:
        return runs[name].astype("Int64").astype("string")

    counts = whole("requests_completed") + " of " + whole("requests_sent") + " completed, "
    error = runs["first_error"].fillna("")
    return counts + whole("requests_failed") + " failed" + (": " + error).str.rstrip(": ")


def _output(runs: LandedRuns) -> pd.Series:
    """Number of outputs: tokens, images or videos."""
    return runs["output_tokens"].where(runs["language"], runs["requests_completed"]).where(runs["completed"])


def _should_know(series: Series, runs: LandedRuns) -> pd.Series:
    """Completed runs of runtimes whose server reports a series."""
    reporting = [kind.name for kind in all_kinds() if kind.reports(series)]
    return runs["completed"] & runs["runtime"].isin(reporting)


def _tokens_apart(runs: LandedRuns) -> pd.Series:
    """Tokens by the server's counter minus those the client received, over the whole load.

    Of requests that were cut off the server may have generated what they still had to get.
    """
    received = number(runs["received_tokens"]).fillna(number(runs["request_tokens"]))
    apart = number(runs["generated_tokens"]) - received
    left = number(runs["cut_off_tokens"]).fillna(0)
    return apart.mask((apart > 0) & (apart <= left), 0)


def _at_length_cap(runs: LandedRuns) -> pd.Series:
    """By what the server said, or by the lengths of the answers, whichever is more."""
    by_length = number(runs["answers_at_cap"])
    said = number(runs["requests_at_length_cap"])
    return pd.Series(np.fmax(said, by_length))


def _one_witness(runs: LandedRuns, control: LengthControl) -> pd.Series:
    """Runs of which the server's counter is not known for a reason; older ones say neither."""
    return runs["generated_tokens_absent_reason"].notna().where(runs["length_control"] == control)


def _disordered(runs: LandedRuns) -> pd.Series:
    wrong = runs["ttft_p50_ms"] > runs["e2e_p50_ms"]
    for name in ("ttft", "itl", "e2e"):
        for low, high in (("p50", "p90"), ("p90", "p95"), ("p95", "p99")):
            wrong |= runs[f"{name}_{low}_ms"] > runs[f"{name}_{high}_ms"]
    return wrong.where(runs["completed"])


def _wall_minus_duration(runs: LandedRuns) -> pd.Series:
    wall = (runs["finished_at"] - runs["started_at"]).dt.total_seconds()
    return wall - runs["duration_seconds"].fillna(0)


CHECKS = (
    critical(
        "has_request_counts",
        "the record does not say how many requests were sent",
        lambda runs: runs["requests_sent"].isna().where(runs["completed"]),
    ),
    critical(
        "all_requests_completed",
        "some requests failed or are missing",
        _missing_or_failed,
        within=Tolerance(0, 0, "requests", "ML.ENERGY validator: all requests completed and succeeded"),
        observed=_counts,
    ),
    critical(
        "some_output",
        "the run has no output",
        lambda runs: _output(runs).where(runs["request_rate"].ne(0)),
        within=Tolerance(1, None, "tokens", "a run without output has no result"),
    ),
    critical(
        "outputs_not_capped",
        "too many answers ended at the length cap",
        lambda runs: ratio(_at_length_cap(runs), runs["requests_completed"]).where(
            runs["completed"]
            & (runs["length_control"] == LengthControl.NATURAL)
            & runs["grader"].isna()  # graded answers that were cut are counted, as wrong ones
        ),
        within=Tolerance(
            None, 0.3, "of outputs", "ML.ENERGY validator: fewer than 30 % of outputs at the length cap"
        ),
    ),
    critical(
        "request_file_counts_agree",
        "requests.parquet and run.json differ in the number of requests",
        lambda runs: runs["request_count_difference"].where(runs["completed"]),
        within=_LEDGER,
    ),
    critical(
        "request_file_tokens_agree",
        "requests.parquet and run.json differ in the number of tokens",
        lambda runs: runs["request_token_difference"].where(runs["completed"]),
        within=_LEDGER,
    ),
    critical(
        "two_token_counts_agree",
        "the client received another number of tokens than the server says that it generated",
        _tokens_apart,
        within=Tolerance(0, 0, "tokens apart", "methodology: equal over whole loads, as measured"),
    ),
    *graded(
        "two_token_counts_agree_in_window",
        "in the window, the tokens that the client received and those of the server's counter differ",
        lambda runs: (ratio(runs["generated_tokens_in_window"], runs["steady_output_tokens"]) - 1).where(
            ~runs["is_open"]
        ),
        within=Tolerance(
            -0.02,
            0.02,
            "relative",
            "a counter read once per second: 0.6 s of a window of 30 s",
        ),
    ),
    critical(
        "token_counter_known",
        "the server has no counter of generated tokens, and answers of natural length have no other second"
        " witness",
        lambda runs: _one_witness(runs, LengthControl.NATURAL),
        observed=lambda runs: runs["generated_tokens_absent_reason"],
    ),
    warning(
        "token_counter_known__prescribed",
        "the server's counter of generated tokens is not known; only the prescribed lengths confirm them",
        lambda runs: _one_witness(runs, LengthControl.FIXED),
        observed=lambda runs: runs["generated_tokens_absent_reason"],
    ),
    critical(
        "request_times_in_order",
        "some requests finish before they start",
        lambda runs: runs["request_disorders"],
    ),
    critical(
        "no_prefix_cache_hits",
        "prompts were served from the prefix cache",
        lambda runs: runs["prefix_cache_hits"],
        within=Tolerance(0, 0, "hits", "methodology: prefix caching is off"),
    ),
    critical(
        "no_multimodal_cache_hits",
        "images or videos of prompts were served from the server's multimodal cache",
        lambda runs: runs["multimodal_cache_hits"],
        within=Tolerance(
            0, 0, "hits", "methodology: the server's cache of prepared images and videos is off"
        ),
    ),
    critical(
        "prefix_cache_hits_known",
        "it is not known whether prompts were served from the prefix cache; release the run if that cache"
        " was off",
        lambda runs: runs["prefix_cache_hits"].isna().where(_should_know(Series.PREFIX_CACHE_HITS, runs)),
    ),
    critical(
        "multimodal_cache_hits_known",
        "it is not known whether images or videos of prompts were served from the server's multimodal cache;"
        " release the run if that cache was off",
        lambda runs: (
            runs["multimodal_cache_hits"]
            .isna()
            .where(_should_know(Series.MULTIMODAL_CACHE_HITS, runs) & (runs["architecture"] == "mllm"))
        ),
    ),
    warning(
        "no_preemptions",
        "the server preempted requests because its memory was full",
        lambda runs: runs["preemptions"],
        within=Tolerance(
            0, 0, "preemptions", "preempted requests are computed twice, so their energy is overstated"
        ),
    ),
    critical(
        "kv_cache_usage_is_a_share",
        "KV cache usage is not between 0 and 1",
        lambda runs: runs["max_kv_cache_usage"],
        within=Tolerance(0, 1, "", "contract of the record"),
    ),
    critical(
        "latency_follows_from_requests",
        "the median latency is not that of the requests",
        lambda runs: (ratio(runs["e2e_p50_ms"], runs["median_e2e_ms"]) - 1).where(runs["completed"]),
        within=Tolerance(
            -0.2, 0.2, "relative", "78 recorded runs: equal; 20 % for few requests, far from any other unit"
        ),
    ),
    critical(
        "token_latency_follows_from_requests",
        "the median inter-token latency is not that of the requests",
        lambda runs: ratio(runs["itl_p50_ms"], runs["mean_itl_ms"]).where(runs["completed"]),
        within=Tolerance(
            0.33, 1.33, "of the mean", "recorded runs: 0.63 to 1.0, lowest where images delay answers"
        ),
    ),
    critical("latency_quantiles_in_order", "a lower latency quantile exceeds a higher one", _disordered),
    *graded(
        "client_kept_up",
        "the load generator lagged, so it may have limited the load",
        lambda runs: is_true(runs["client_lagged"]).where(runs["completed"]),
    ),
    *graded(
        "client_not_saturated",
        "the load generator used all of its CPU time",
        lambda runs: runs["client_cpu_share"],
        within=Tolerance(None, 0.9, "of a core", "one event loop saturates a core at 17-20k tokens/s"),
    ),
    critical(
        "clock_did_not_jump",
        "the wall clock went back, lost time, or jumped ahead during the run",
        lambda runs: _wall_minus_duration(runs).where(runs["completed"]),
        within=Tolerance(
            -5,
            3600,
            "s",
            "wall clock and monotonic clock of one run: 1.0 to 18.8 s apart in recorded runs; 5 s for a clock"
            " that was being set, an hour for an end that takes long",
        ),
    ),
    critical(
        "not_from_the_future",
        "the run ends in the future",
        lambda runs: (runs["finished_at"] - pd.Timestamp(runs.judged_at)).dt.total_seconds(),
        within=Tolerance(None, 300, "s ahead", "clocks of hosts in one fleet agree within minutes"),
    ),
)
