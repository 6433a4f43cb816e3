"""Per-run suite: what a single measured run must satisfy to count."""

from __future__ import annotations

from expectations.suites import tolerances as t
from expectations.suites.checks import Check, Severity, Tolerance
from expectations.suites.residuals import SPEED_ONLY


def run_checks() -> tuple[Check, ...]:
    """Every per-run check, from the bundle inwards."""
    return (*_bundle(), *_identity(), *_requests(), *_windows(), *_energy(), *_power(), *_instruments())


def _critical(name: str, within: Tolerance, reason: str, *, releasable: bool = True) -> Check:
    return Check(name, Severity.CRITICAL, reason, within=within, releasable=releasable)


def _warning(name: str, within: Tolerance, reason: str) -> Check:
    return Check(name, Severity.WARNING, reason, within=within)


def _graded(name: str, within: Tolerance, reason: str) -> tuple[Check, Check]:
    """Critical for runs with energy; a warning for runs that count for speed only."""
    return _critical(name, within, reason), _warning(name + SPEED_ONLY, within, reason)


def _bundle() -> tuple[Check, ...]:
    return (
        _critical("bundle_whole", t.NEVER, "the bundle's files are not what was landed", releasable=False),
        _critical("in_its_place", t.NEVER, "the bundle lies in another run's place", releasable=False),
        _critical(
            "run_completed", t.NEVER, "the run did not complete, so it has no result", releasable=False
        ),
        _critical(
            "not_a_replay", t.NEVER, "an older run holds exactly the same measurement", releasable=False
        ),
        _critical("no_crash_in_log", t.NEVER, "the server's log tells of a crash"),
        _critical("samples_are_numbers", t.NEVER, "a timeline holds NaN, infinite or negative samples"),
    )


def _identity() -> tuple[Check, ...]:
    return (
        _critical(
            "not_a_recheck",
            t.NEVER,
            "a recheck: compared with what is published, never mixed into it unless a person releases it",
        ),
        _critical("not_the_mock_server", t.NEVER, "the mock server was measured, not a runtime"),
        _critical("model_in_catalog", t.NEVER, "the catalog has no such model"),
        _warning("task_in_catalog", t.NEVER, "the catalog does not list this task for the model"),
        _critical("precision_as_in_catalog", t.NEVER, "the catalog has the model in another precision"),
        _critical("gpu_in_catalog", t.NEVER, "the catalog has no such GPU, so its power cannot be judged"),
        _critical("gpu_count_fits_gpu", t.NEVER, "number of GPUs and GPU model contradict each other"),
        _critical("gpu_is_the_one_named", t.NEVER, "the machine's GPU is not the configuration's"),
        _critical("gpus_all_seen", t.NEVER, "the machine's GPUs are not as many as the configuration's"),
        _critical("gpu_memory_too_small", _low(t.MEMORY_OF_CATALOG), "less memory than this GPU model has"),
        _critical("gpu_memory_too_large", _high(t.MEMORY_OF_CATALOG), "more memory than this GPU model has"),
        _critical("parallelism_fills_gpus", t.NEVER, "the parallel degrees do not make up the GPUs"),
    )


def _requests() -> tuple[Check, ...]:
    return (
        _critical("has_request_counts", t.NEVER, "the record does not say what was asked"),
        _critical("all_requests_completed", t.FAILED_REQUESTS, "not all requests completed and succeeded"),
        _critical("some_output", t.OUTPUT_TOKENS, "the run made no output"),
        _critical("outputs_not_capped", t.AT_LENGTH_CAP_SHARE, "too many answers ended at the length cap"),
        _critical(
            "sample_is_a_picture",
            t.NEVER,
            "the sample is of one colour or holds NaN: what was generated is no image or video",
        ),
        _critical("request_file_counts_agree", t.LEDGER_DIFFERENCE, "requests.parquet counts other requests"),
        _critical("request_file_tokens_agree", t.LEDGER_DIFFERENCE, "requests.parquet counts other tokens"),
        _critical("request_times_in_order", t.NEVER, "requests finish before they start"),
        _critical("no_prefix_cache_hits", t.PREFIX_CACHE_HITS, "prompts were served from the prefix cache"),
        _critical(
            "no_multimodal_cache_hits",
            t.MULTIMODAL_CACHE_HITS,
            "pictures or clips were served from the server's cache of prepared ones",
        ),
        _critical(
            "prefix_cache_hits_known",
            t.NEVER,
            "nobody knows whether prompts were served from the prefix cache: release the run if it was off",
        ),
        _critical(
            "multimodal_cache_hits_known",
            t.NEVER,
            "nobody knows whether pictures or clips were served from the server's cache of prepared ones:"
            " release the run if it was off",
        ),
        _warning("no_preemptions", t.PREEMPTIONS, "the server preempted requests for lack of memory"),
        _critical("kv_cache_usage_is_a_share", t.KV_CACHE_USAGE, "KV cache usage is not a share"),
        _critical("latency_quantiles_in_order", t.NEVER, "latency quantiles are out of order"),
        *_graded("client_kept_up", t.NEVER, "the load generator lagged and may be what was measured"),
        *_graded("client_not_saturated", t.CLIENT_CPU_SHARE, "the load generator was out of CPU"),
        _critical("clock_did_not_jump", t.WALL_MINUS_DURATION, "the wall clock went back or lost time"),
        _critical("not_from_the_future", t.STARTED_AHEAD, "the run starts in the future"),
    )


def _windows() -> tuple[Check, ...]:
    return (
        _warning("mlenergy_window_settled", t.NEVER, "ML.ENERGY's steady state was never reached"),
        _warning("steady_window_settled", t.NEVER, "the run never settled and has no figures"),
        _critical("windows_inside_run", t.WINDOW_OVERHANG_SECONDS, "a window lies outside its run"),
        _critical("window_tokens_inside_run", t.NEVER, "a window holds more tokens than the run"),
        _critical("window_items_inside_run", t.NEVER, "a window holds more images or videos than the run"),
        *_graded("steady_window_long_enough", t.STEADY_SECONDS, "the steady window is too short"),
        *_graded("batches_long_enough", t.BATCHES_SECONDS, "too few seconds of batches"),
        *_graded(
            "steady_window_turned_over", t.TURNOVERS_OR_MINUTES, "too few turnovers in the steady window"
        ),
        *_graded("batch_saturated", t.BATCH_SATURATION, "running requests do not fill the batch size"),
        _warning("no_power_trend", t.TREND, "power still moves in the steady window"),
        _warning("no_throughput_trend", t.TREND, "throughput still moves in the steady window"),
        _warning("throughput_fits_latency", t.THROUGHPUT_TIMES_ITL, "throughput is high for the latency"),
        *_graded(
            "throughput_near_latency",
            t.THROUGHPUT_TIMES_ITL_WILD,
            "throughput and latency contradict each other",
        ),
    )


def _energy() -> tuple[Check, ...]:
    return (
        _critical("no_energy_without_counter", t.NEVER, "energy without an instrument: an estimate"),
        _critical("energy_was_measured_here", t.NEVER, "energy was replayed from a recording, not measured"),
        _critical("counter_has_energy", t.NEVER, "the run had a counter but no energy figure"),
        _warning("absence_has_a_reason", t.NEVER, "the run does not say why it has no energy"),
        _critical("no_energy_in_unsettled_window", t.NEVER, "energy of a window that never settled"),
        _critical("two_instruments_present", t.NEVER, "no integral of power stands beside the counter"),
        _critical("two_instruments_agree", t.TWO_INSTRUMENTS, "energy counter and integral of power differ"),
        _critical(
            "two_instruments_agree_mlenergy",
            t.TWO_INSTRUMENTS,
            "energy counter and integral of power differ in ML.ENERGY's window",
        ),
        _critical(
            "integral_follows_from_timeline", t.INTEGRAL_RECOMPUTED, "the integral is not the timeline's"
        ),
        _critical("counter_spans_window", t.COUNTER_SPAN, "the counter was not read at the window's ends"),
        _critical("energy_sums_over_gpus", t.PER_GPU_SUM, "the GPUs' energies do not add up to the total"),
        _critical("energy_of_every_gpu", t.NEVER, "not every GPU has an energy figure"),
        _critical("energy_per_token_plausible", t.JOULES_PER_TOKEN, "energy per token is not of this world"),
        _critical("energy_per_item_plausible", t.JOULES_PER_ITEM, "energy per item is not of this world"),
    )


def _power() -> tuple[Check, ...]:
    return (
        _critical("power_within_tdp", t.MEAN_POWER_OF_TDP, "mean power is above what the GPU can draw"),
        _warning("power_peak_within_tdp", t.PEAK_POWER_OF_TDP, "a power reading is far above the TDP"),
        _critical("power_within_limit", t.POWER_OF_LIMIT, "mean power is above the power cap of the run"),
        _critical("power_over_idle", t.POWER_OVER_IDLE, "the GPU drew less than when it idled"),
        _critical("idle_was_idle", t.IDLE_OF_TDP, "the GPU was not idle before the server started"),
        _critical("limit_within_tdp", t.LIMIT_OF_TDP, "the power cap is another GPU's"),
        _critical("not_too_cold", _low(t.TEMPERATURE), "colder than a working GPU: not its sensor"),
        _critical("not_too_hot", _high(t.TEMPERATURE), "hotter than a GPU allows"),
        _critical("no_thermal_or_hardware_throttling", t.NEVER, "heat or hardware slowed the GPU down"),
        _warning("not_at_power_cap", t.NEVER, "the power cap held the GPU back (normal at full load)"),
    )


def _instruments() -> tuple[Check, ...]:
    return (
        _critical("power_sampled_throughout", t.TIMELINE_COVERAGE, "power was not sampled throughout"),
        _critical("power_of_every_gpu", t.NEVER, "the power timeline lacks a GPU, or has one too many"),
        _critical("power_not_frozen", t.FROZEN_SECONDS, "the power reading stood still"),
        _warning("server_metrics_present", t.NEVER, "the server gave no metrics in the window"),
        *_graded("server_metrics_throughout", t.TIMELINE_COVERAGE, "server metrics have gaps"),
    )


def _low(tolerance: Tolerance) -> Tolerance:
    return Tolerance(tolerance.low, None, tolerance.unit, tolerance.source)


def _high(tolerance: Tolerance) -> Tolerance:
    return Tolerance(None, tolerance.high, tolerance.unit, tolerance.source)
