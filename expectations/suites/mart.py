"""Mart suite: what the candidate's tables must satisfy before anybody may read them.

Residuals are computed in DuckDB, one column a check; Great Expectations compares them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmark_tasks.vocabulary import OutputUnit
from expectations.gate.auditor import Audit, Auditor
from expectations.publications import attached
from expectations.suites import tolerances as t
from expectations.suites.checks import Check, Level, Severity, Tolerance

LABEL = (
    "concat_ws(' | ', data_source, model_id, task, concat(num_gpus, 'x ', gpu_model),"
    " concat('batch ', batch_size), runtime_version, left(model_revision, 12), left(leaderboard_id, 8))"
)
"""How a finding names a leaderboard row."""

_LEADERBOARD = f"""
select
    {LABEL} as label,
    leaderboard_id, data_source, configuration_id, task, model_id, gpu_model, output_unit,
    energy_per_output_joules is not null and energy_source = 'none' as no_energy_without_counter,
    energy_rank is not null and energy_per_output_joules is null as no_rank_without_energy,
    case when energy_rank is not null then energy_repeats end as rank_has_repeats,
    case when output_unit = 'token' then energy_per_output_joules end as energy_per_token_plausible,
    case when output_unit <> 'token' then energy_per_output_joules end as energy_per_item_plausible,
    case when energy_per_output_joules <= 0 then 1 else 0 end as energy_is_positive,
    case when throughput_per_second is null or throughput_per_second <= 0 then 1 else 0 end
        as throughput_is_positive,
    energy_per_output_low_joules > energy_per_output_joules
        or energy_per_output_high_joules < energy_per_output_joules as interval_holds_mean,
    mean_power_per_gpu_watts / tdp_watts as power_within_tdp,
    case when energy_per_output_joules is not null then mean_running_requests / batch_size end
        as batch_saturated,
    median_itl_ms > p90_itl_ms or p90_itl_ms > p95_itl_ms or p95_itl_ms > p99_itl_ms
        as latency_quantiles_in_order,
    throughput_per_second * median_itl_ms / 1000 / nullif(mean_running_requests, 0)
        as throughput_fits_latency,
    throughput_per_second * p99_itl_ms / 1000 / nullif(mean_running_requests, 0)
        as throughput_fits_p99_latency,
    case when data_source <> 'jouleboard' then
        energy_per_response_joules
        / nullif(energy_per_output_joules * coalesce(output_tokens_per_response, 1), 0) - 1
    end as response_is_tokens_times_energy
from candidate.marts.leaderboard
"""

_MINIMA = f"""
select
    concat_ws(' | ', scope, {LABEL}) as label,
    min_energy_id,
    stands is null as minimum_is_on_leaderboard,
    energy_per_output_joules / energy_there - 1 as minimum_equals_leaderboard,
    energy_per_output_joules
from candidate.marts.min_energy_configurations
left join (
    select leaderboard_id, true as stands, energy_per_output_joules as energy_there
    from candidate.marts.leaderboard
) using (leaderboard_id)
"""

_LOGS = """
select
    table_name as mart,
    estimated_size as rows
from duckdb_tables()
where database_name = 'candidate' and schema_name = 'marts'
"""

_EXPECTED_MARTS = ("leaderboard", "min_energy_configurations", "run_log", "quarantine", "publications")


def leaderboard_checks() -> tuple[Check, ...]:
    """Checks over the residuals of `leaderboard`, ours and imported rows alike."""
    return (
        Check(
            "some_rows", Severity.CRITICAL, "the leaderboard is empty: measure or import", rows=t.SOME_ROWS
        ),
        Check("key_is_unique", Severity.CRITICAL, "a configuration stands twice", unique=("leaderboard_id",)),
        *(
            Check(f"has_{name}", Severity.CRITICAL, f"a row has no {name}", column=name, not_null=True)
            for name in ("leaderboard_id", "data_source", "configuration_id", "task", "model_id", "gpu_model")
        ),
        Check(
            "unit_is_known",
            Severity.CRITICAL,
            "an output unit that nobody knows",
            column="output_unit",
            one_of=tuple(unit.value for unit in OutputUnit),
        ),
        _critical("no_energy_without_counter", t.NEVER, "energy without a counter: an estimate"),
        _critical("no_rank_without_energy", t.NEVER, "a rank by energy without energy"),
        _critical("rank_has_repeats", t.RANK_REPEATS, "a rank rests on too few repeats"),
        _critical("energy_is_positive", t.NEVER, "energy is zero or negative"),
        _critical("energy_per_token_plausible", t.JOULES_PER_TOKEN, "energy per token is not of this world"),
        _critical("energy_per_item_plausible", t.JOULES_PER_ITEM, "energy per item is not of this world"),
        _critical("throughput_is_positive", t.NEVER, "throughput is missing, zero or negative"),
        _critical("interval_holds_mean", t.NEVER, "the interval does not hold its own mean"),
        _critical("power_within_tdp", t.MEAN_POWER_OF_TDP, "mean power is above what the GPU can draw"),
        _critical("batch_saturated", t.BATCH_SATURATION, "running requests do not fill the batch size"),
        _critical("latency_quantiles_in_order", t.NEVER, "latency quantiles are out of order"),
        _critical(
            "response_is_tokens_times_energy",
            t.IDENTITY,
            "energy per response is not tokens x energy per token",
        ),
        Check(
            "throughput_fits_latency",
            Severity.WARNING,
            "throughput is high for the median latency",
            within=t.THROUGHPUT_TIMES_ITL,
        ),
        Check(
            "throughput_fits_p99_latency",
            Severity.WARNING,
            "throughput is low for the p99 latency",
            within=t.THROUGHPUT_TIMES_P99_ITL,
        ),
    )


def minima_checks() -> tuple[Check, ...]:
    """Checks over `min_energy_configurations` against the leaderboard it is drawn from."""
    return (
        Check("key_is_unique", Severity.CRITICAL, "a minimum stands twice", unique=("min_energy_id",)),
        _critical("minimum_is_on_leaderboard", t.NEVER, "a minimum that the leaderboard does not have"),
        _critical("minimum_equals_leaderboard", t.IDENTITY, "a minimum with another energy than its row"),
        Check(
            "minimum_has_energy",
            Severity.CRITICAL,
            "a minimum without energy",
            column="energy_per_output_joules",
            not_null=True,
        ),
    )


def audit_marts(auditor: Auditor, candidate: Path) -> Audit:
    """Run the mart suites on a candidate database."""
    with attached(candidate=candidate) as connection:
        present = {row[0] for row in connection.execute(_LOGS).fetchall()}
        audit = _presence(auditor, connection, present)
        if audit.critical:
            return audit
        for table, sql, checks in (
            ("leaderboard", _LEADERBOARD, leaderboard_checks()),
            ("min_energy_configurations", _MINIMA, minima_checks()),
        ):
            frame = numeric(connection.execute(sql).df())
            audit += auditor.audit(Level.MART, table, frame, checks, key=["label"])
    return audit


def numeric(frame: Any) -> Any:
    """Booleans as 0 and 1, NULLs kept: Great Expectations compares numbers."""
    for name in frame.columns:
        if frame[name].dtype == bool or (frame[name].dtype == object and _all_booleans(frame[name])):
            frame[name] = frame[name].astype("float64")
    return frame


def _presence(auditor: Auditor, connection: Any, present: set[str]) -> Audit:
    """Every mart that readers rely on is there."""
    import pandas as pd

    frame = pd.DataFrame({"mart": _EXPECTED_MARTS})
    frame["mart_is_there"] = (~frame["mart"].isin(present)).astype(float)
    checks = (_critical("mart_is_there", t.NEVER, "a mart that readers rely on is missing"),)
    return auditor.audit(Level.MART, "all marts", frame, checks, key=["mart"])


def _all_booleans(column: Any) -> bool:
    values = column.dropna()
    return len(values) > 0 and values.map(lambda value: isinstance(value, bool)).all()


def _critical(name: str, within: Tolerance, reason: str) -> Check:
    return Check(name, Severity.CRITICAL, reason, within=within)
