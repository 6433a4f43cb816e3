"""Faults in a candidate's tables: each is refused by its own check, and names its row."""

from __future__ import annotations

from itertools import zip_longest
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from expectations.gate.auditor import Auditor
from expectations.suites.checks import Check, Level, Severity, Tolerance
from expectations.suites.mart import (
    accuracy_checks,
    audit_marts,
    canary_checks,
    history_checks,
    law_checks,
    leaderboard_checks,
    load_checks,
    minima_checks,
    price_checks,
    release_checks,
    variance_checks,
)

COLUMNS = {
    "leaderboard_id": "varchar",
    "data_source": "varchar",
    "configuration_id": "varchar",
    "task": "varchar",
    "model_id": "varchar",
    "gpu_model": "varchar",
    "num_gpus": "integer",
    "batch_size": "integer",
    "runtime_version": "varchar",
    "model_revision": "varchar",
    "output_unit": "varchar",
    "energy_source": "varchar",
    "energy_repeats": "integer",
    "energy_rank": "integer",
    "energy_per_output_joules": "double",
    "energy_per_output_low_joules": "double",
    "energy_per_output_high_joules": "double",
    "energy_per_response_joules": "double",
    "output_tokens_per_response": "double",
    "throughput_per_second": "double",
    "mean_power_per_gpu_watts": "double",
    "tdp_watts": "double",
    "mean_running_requests": "double",
    "median_itl_ms": "double",
    "p90_itl_ms": "double",
    "p95_itl_ms": "double",
    "p99_itl_ms": "double",
    "runtime": "varchar",
    "canaries_unchanged_until": "varchar",
    "architecture": "varchar",
    "interval_covers": "varchar",
    "interval_leaves_out": "varchar",
    "interval_not_measured": "varchar",
    "left_out_relative_size": "double",
}
GOOD = (
    "'mlenergy-v3', 'c', 'gpqa', 'some/model', 'H200', 1, 32, '0.1', null, 'token', 'nvml-counter', 3, 1,"
    " 0.1, 0.09, 0.11, 50.0, 500.0, 4000.0, 400.0, 700.0, 31.9, 8.0, 9.0, 10.0, 15.0, 'vllm', null,"
    " 'llm', 'run', 'gpu', 'weights', 0.02"
)
ROW_FAULTS = {
    "key_is_unique": "leaderboard_id = 'good-1'",
    "has_data_source": "data_source = null",
    "has_configuration_id": "configuration_id = null",
    "has_task": "task = null",
    "has_model_id": "model_id = null",
    "has_gpu_model": "gpu_model = null",
    "unit_is_known": "output_unit = 'joule'",
    "no_energy_without_counter": "energy_source = 'none'",
    "no_rank_without_energy": "energy_per_output_joules = null",
    "rank_has_repeats": "energy_repeats = 1",
    "energy_is_positive": "energy_per_output_joules = 0",
    "energy_per_token_plausible": "energy_per_output_joules = 5000",
    "energy_per_item_plausible": "output_unit = 'image', energy_per_output_joules = 0.001",
    "throughput_is_positive": "throughput_per_second = null",
    "interval_holds_mean": "energy_per_output_low_joules = 0.2",
    "interval_is_not_negative": "energy_per_output_low_joules = -0.01",
    "power_within_tdp": "mean_power_per_gpu_watts = 900",
    "batch_saturated": "mean_running_requests = 12",
    "latency_quantiles_in_order": "p90_itl_ms = 7",
    "response_is_tokens_times_energy": "energy_per_response_joules = 60",
}
HISTORY = (
    "select leaderboard_id, data_source, model_id, task, gpu_model, num_gpus, batch_size, runtime_version,"
    " runtime_version as runtime_release,"
    " model_revision, 'vllm' as runtime, energy_per_output_joules, '0.0' as previous_runtime_version,"
    " true as previous_on_same_gpus, -0.03 as energy_change, -0.04 as energy_change_low,"
    " -0.02 as energy_change_high, 'better' as energy_verdict, 2 as rerun_servers,"
    " 2 as previous_rerun_servers, 'confirmed' as rerun_result, 'confirmed' as confirmation,"
    " null::varchar as contested_by, null::varchar as contest_note, -0.03 as energy_change_since_first,"
    " -0.04 as energy_change_since_first_low, -0.02 as energy_change_since_first_high"
    " from marts.leaderboard where leaderboard_id = 'good-2'"
)
SUMMARY = (
    "select 'r-1' as release_id, data_source, runtime, runtime_version, 1 as configurations_measured,"
    " 1 as configurations_compared, 1 as energy_lower, 0 as energy_higher, 1 as changes_confirmed,"
    " 0 as changes_contested,"
    " -0.03 as median_energy_change, -0.03 as lowest_energy_change, -0.03 as highest_energy_change"
    " from marts.release_history"
)
CANARIES = (
    "select leaderboard_id, 'canary-old' as old_leaderboard_id, data_source, 'dense' as kind, model_id, task,"
    " gpu_model, num_gpus, batch_size, model_revision, 'vllm' as runtime, runtime_version,"
    " '0.1' as old_runtime_version, 2 as servers, 2 as old_servers, 0.001 as energy_change,"
    " -0.007 as energy_change_low, 0.009 as energy_change_high, 0.02 as margin, 'unchanged' as verdict"
    " from marts.leaderboard where leaderboard_id = 'canary'"
)
SAVINGS = (
    "select 's-1' as saving_id, data_source, runtime, runtime_version, gpu_model, 1 as canaries,"
    " 0 as canaries_not_unchanged, 0.5 as spent_gpu_hours, 3 as configurations_waiting,"
    " 2 as configurations_with_cost, 4.0 as saved_gpu_hours from marts.release_canaries"
)
HISTORY_FAULTS = {
    "history_is_on_leaderboard": "leaderboard_id = 'nowhere'",
    "history_equals_leaderboard": "energy_per_output_joules = 0.2",
    "change_has_two_releases": "previous_runtime_version = '0.1'",
    "change_is_within_its_interval": "energy_change_since_first = 0.01",
    "verdict_follows_from_interval": "energy_change_high = 0.01",
    "confirmed_by_reruns": "rerun_servers = 1",
    "contest_is_shown": "contested_by = 'ada', contest_note = 'another driver'",
}
SUMMARY_FAULTS = {
    "every_release_is_summed_up": "runtime_version = '0.2'",
    "summary_counts_its_history": "configurations_measured = 2",
    "summary_counts_its_changes": "changes_confirmed = 0",
    "median_change_is_within_range": "median_energy_change = -0.05",
}
CANARY_FAULTS = {
    "canary_is_on_leaderboard": "old_leaderboard_id = 'nowhere'",
    "canary_has_two_releases": "servers = 1",
    "canary_is_within_its_interval": "energy_change = 0.015",
    "canary_verdict_follows_from_interval": "margin = 0",
}
SAVINGS_FAULTS = {
    "every_canary_has_its_cost": "canaries = 2",
    "saved_only_where_rows_wait": "configurations_waiting = 1",
    "costs_are_positive": "saved_gpu_hours = -1",
}
LOAD = (
    "select 'l-1' as load_id, 's' as server_setup_id, 'jouleboard' as data_source, 'some/model' as model_id,"
    " 'gpqa' as task, 'H200' as gpu_model, 1 as num_gpus, 64 as batch_size, 5.0 as request_rate,"
    " 1.0 as burstiness, '0.1' as runtime_version, 3 as runs, 'nvml-counter' as energy_source,"
    " true as is_sustained, 5.1 as offered_requests_per_second, 5.0 as completed_requests_per_second,"
    " 4.9 as goodput_requests_per_second, true as meets_objective, 2500.0 as throughput_per_second,"
    " 0.16 as energy_per_output_joules, 0.15 as energy_per_output_low_joules,"
    " 0.17 as energy_per_output_high_joules, 80.0 as energy_per_response_joules, 400.0 as mean_power_watts,"
    " 390.0 as mean_power_low_watts, 410.0 as mean_power_high_watts, 0.1 as idle_share,"
    " 50.0 as ttft_p50_ms, 60.0 as ttft_p90_ms, 70.0 as ttft_p95_ms, 80.0 as ttft_p99_ms,"
    " 5.0 as itl_p50_ms, 6.0 as itl_p90_ms, 7.0 as itl_p95_ms, 8.0 as itl_p99_ms"
)
CAPACITY = (
    "select 'c-1' as capacity_id, load_id, model_id, task, gpu_model, num_gpus, runtime_version,"
    " 'chat' as objective, 99 as ttft_percentile, 2000.0 as ttft_ceiling_ms,"
    " request_rate as highest_request_rate,"
    " energy_per_response_joules, 3.6e6 / energy_per_response_joules as requests_per_kwh,"
    " 0.2 as power_share_idle, 0.4 as power_share_at_10_percent, 0.7 as power_share_at_50_percent"
    " from marts.energy_under_load"
)
LOAD_FAULTS = {
    "load_has_a_rate": "burstiness = null",
    "idle_has_no_output": "request_rate = 0, burstiness = null",
    "no_energy_without_counter": "energy_source = 'none'",
    "load_interval_holds_mean": "mean_power_low_watts = 405",
    "power_is_energy_times_throughput": "mean_power_watts = 300, mean_power_low_watts = 290",
    "sustained_load_is_served": "completed_requests_per_second = 2",
    "goodput_is_part_of_offered": "goodput_requests_per_second = 9",
    "objective_needs_a_sustained_load": "is_sustained = false",
    "load_percentiles_in_order": "itl_p95_ms = 9",
    "idle_share_is_a_share": "idle_share = 1.5",
}
CAPACITY_FAULTS = {
    "capacity_is_a_measured_load": "highest_request_rate = 7",
    "capacity_meets_its_ceiling": "ttft_ceiling_ms = 60",
    "capacity_equals_its_load": "energy_per_response_joules = 90, requests_per_kwh = 40000",
    "requests_per_kwh_follow_from_energy": "requests_per_kwh = 40000",
    "power_shares_are_plausible": "power_share_at_50_percent = 1.4",
}
ACCURACY = (
    "select 'a-1' as leaderboard_id, 'some/model' as model_id, 'gpqa' as task, 'H200' as gpu_model,"
    " 1 as num_gpus, 32 as batch_size, '0.1' as runtime_version,"
    " 100 as questions, 200 as answers, 80 as right_answers,"
    " 5 as unreadable_answers, 3 as cut_answers, 0 as unanswered_questions, 0.25 as chance, 0.4 as accuracy,"
    " 0.3 as accuracy_low, 0.5 as accuracy_high, 'nvml-counter' as energy_source,"
    " 10.0 as energy_per_answer_joules, 9.0 as energy_per_answer_low_joules,"
    " 11.0 as energy_per_answer_high_joules, 25.0 as energy_per_correct_answer_joules,"
    " 20.0 as energy_per_correct_answer_low_joules, 34.0 as energy_per_correct_answer_high_joules,"
    " 2 as attempts, 0.6 as best_of_accuracy, 33.3 as best_of_energy_per_correct_answer_joules,"
    " 22.0 as until_right_energy_per_correct_answer_joules"
)
ACCURACY_FAULTS = {
    "accuracy_rests_on_enough_answers": "questions = 99",
    "accuracy_not_below_chance": "chance = 0.5, energy_per_correct_answer_joules = null",
    "accuracy_is_a_share": "right_answers = 81",
    "counts_of_answers_fit": "cut_answers = 180",
    "no_energy_without_counter": "energy_source = 'none'",
    "no_price_at_chance": "chance = 0.35",
    "price_is_energy_over_accuracy": "energy_per_correct_answer_joules = 24",
    "price_interval_holds_price": "energy_per_correct_answer_low_joules = 26",
    "retries_solve_no_less": "best_of_accuracy = 1.2",
}
WAITING = (
    "select 'w-1' as waiting_id, 'some/model' as model_id, 'H200' as gpu_model, 1 as num_gpus,"
    " '0.1' as runtime_version, 2 as servers, 2 as energy_starts, 80.0::double as idle_unloaded_watts,"
    " 120.0 as idle_loaded_watts, 50.0 as start_seconds, 12000.0 as start_joules,"
    " 100.0 as releasing_pays_after_seconds, 200.0 as unloading_pays_after_seconds,"
    " 90.0 as asleep_watts_level_1, 2.0 as sleep_seconds_level_1, 300.0 as sleep_joules_level_1,"
    " 4.0 as wake_seconds_level_1, 840.0 as wake_joules_level_1, 20.0 as sleeping_pays_after_seconds_level_1,"
    " 110.0 as asleep_watts_level_2, 1.0 as sleep_seconds_level_2, 50.0 as sleep_joules_level_2,"
    " 4.0 as wake_seconds_level_2, 545.0 as wake_joules_level_2, 5.0 as sleeping_pays_after_seconds_level_2"
)
WAITING_FAULTS = {
    "waiting_energy_needs_a_gpu": "num_gpus = 0",
    "waiting_power_is_positive": "idle_unloaded_watts = 0",
    "start_power_is_plausible": "start_seconds = 2",
    "releasing_follows_from_start": "releasing_pays_after_seconds = 101",
    "unloading_saves_power": "idle_unloaded_watts = 130",
    "sleep_is_whole_and_positive__level_1": "wake_seconds_level_1 = 0,"
    " sleeping_pays_after_seconds_level_1 = 32",
    "sleep_is_whole_and_positive__level_2": "sleeping_pays_after_seconds_level_2 = null",
    "sleeping_pays_once_saved__level_1": "sleeping_pays_after_seconds_level_1 = 21",
    "sleeping_pays_once_saved__level_2": "sleeping_pays_after_seconds_level_2 = 0.5",
}
PRICES = (
    "select list || component || coalesce(batch_size, 0) || coalesce(context_tokens, 0) as price_id,"
    " list as price_list_id, list as runtime_version, 'some/model' as model_id, 'H200' as gpu_model,"
    " 1 as num_gpus, v.*, price_joules * 0.9 as price_low_joules, price_joules * 1.1 as price_high_joules,"
    " 0.02 as held_out_error, 2 as proof_loads, 0.03 as other_gpus_error, 1 as other_gpus_loads,"
    " 'r-1, r-2' as run_ids,"
    " case component when 'idle_second' then 'measured' else 'a model fitted to measurements' end as basis"
    " from (values ('prefill_term', null, null, 0.02, 4e-5), ('pair_term', null, null, 2e-6, 4e-9),"
    " ('context_term', null, null, 3e-5, 6e-8), ('step_term', 8, null, 4.0, 0.008),"
    " ('prefill_token', null, 1000, 0.021, 4.2e-5), ('decode_token', 8, 1000, 0.53, 1.06e-3),"
    " ('idle_second', null, null, 120.0, 1.0))"
    " as v(component, batch_size, context_tokens, price_joules, price_seconds), lists"
)
PRICE_PROOF = (
    "select list || n as proof_id, list as price_list_id, list as runtime_version, 'some/model' as model_id,"
    " 'gpqa' as task, 'H200' as gpu_model, 1 as num_gpus, 32 as batch_size, 'r-' || (n + 2) as run_ids,"
    " 100.0 as measured_joules, (100 + n)::double as predicted_joules, n / 100 as error,"
    " true as is_within_measured, n < 3 as is_on_fitted_gpus, true as is_proven"
    " from range(1, 4) as t(n), lists"
)
PRICE_FAULTS = {
    "price_is_no_measured_row": ("step_term", "basis = 'measured'"),
    "price_list_is_proven": ("step_term", "held_out_error = 0.06"),
    "error_beside_price_is_that_of_the_proof": ("step_term", "held_out_error = 0.01"),
    "error_on_other_gpus_is_that_of_the_proof": ("step_term", "other_gpus_error = 0.02"),
    "price_is_not_negative": ("pair_term", "price_joules = -1e-7, price_low_joules = -1e-6"),
    "price_interval_holds_it": ("step_term", "price_low_joules = null"),
    "price_follows_from_terms": ("prefill_token", "price_joules = 0.0211"),
    "price_of_a_token_is_plausible": ("decode_token", "price_joules = 2000, price_high_joules = 2200"),
    "priced_power_is_plausible": ("step_term", "price_seconds = 0.001"),
}
"""The component, and what is wrong with its price."""
PROOF_FAULTS = {
    "proof_has_both_energies": "measured_joules = null",
    "error_follows_from_energies": "predicted_joules = 110",
    "proof_was_not_fitted_to": "run_ids = 'r-2'",
    "proven_list_has_its_prices": "is_proven = false",
}
COMPONENTS = (
    "select list || source as component_id, 'mlenergy-v3' as data_source, list as gpu_model,"
    " 'llm' as architecture, v.* from (values ('run', 0.003, 0.002, 0.006, 9, 12, null),"
    " ('day', null, null, null, 0, 0, 'gpu'), ('gpu', 0.02, 0.01, 0.05, 3, 6, null),"
    " ('weights', null, null, null, 0, 0, null)) as v(source, relative_size, relative_size_low,"
    " relative_size_high, degrees_of_freedom, compared, included_in), lists"
)
BUDGET = (
    "select list || source as budget_id, leaderboard_id, data_source, source,"
    " if(source = 'run', 2, 1) as levels, source = 'run' as is_covered,"
    " case source when 'run' then 'covered' when 'gpu' then 'left out' when 'day' then 'left out, in gpu'"
    " else 'not measured' end as verdict, relative_size from marts.variance_components"
    " inner join lists on list = gpu_model inner join marts.leaderboard using (data_source, gpu_model)"
    " where leaderboard_id = 'good-1' or gpu_model <> 'H200'"
)
COMPONENT_FAULTS = {
    "size_was_measured": ("weights", "relative_size = 0.01, relative_size_low = 0, relative_size_high = 1"),
    "size_is_within_its_interval": ("gpu", "relative_size_high = 0.015"),
    "size_is_plausible": ("gpu", "relative_size = 0.6, relative_size_high = 0.7"),
    "size_stands_in_one_place": ("day", "included_in = 'weights'"),
}
"""The source, and what is wrong with it. The budgets of its rows may contradict it, too."""
BUDGET_FAULTS = {
    "budget_has_its_row": ("run", "leaderboard_id = 'nowhere'"),
    "covered_by_two_levels": ("run", "levels = 1"),
    "verdict_follows_from_size": ("weights", "verdict = 'left out, in gpu', is_covered = true, levels = 2"),
    "size_is_that_of_the_component": ("run", "relative_size = 0.004"),
    "leaderboard_says_its_budget": ("weights", "verdict = 'covered', is_covered = true, levels = 2"),
}
UNCERTAIN_ROW_FAULTS = {"left_out_is_the_sum_of_its_sources": "left_out_relative_size = 0.03"}
SURFACE = (
    "select list || n as point_id, list as family_id, 'some/model' as model_id, 'H200' as gpu_model,"
    " 1 as num_gpus, list as runtime_version, 'image' as output_unit, 'GPU-1' as gpu_uuids,"
    " 10 * n as inference_steps, 512 as height, 1024 as width, null::integer as num_frames,"
    " 524288 as pixels, 100.0 * n as energy_per_output_joules, 99.0 * n as energy_per_output_low_joules,"
    " 101.0 * n as energy_per_output_high_joules, 'window' as interval_is_over, 1 as runs,"
    " 'r-' || n as run_ids from range(1, 6) as t(n), lists"
)
LAWS = (
    "select list || term as term_id, list as law_id, list as family_id, 'some/model' as model_id,"
    " 'H200' as gpu_model, 1 as num_gpus, list as runtime_version, 'GPU-1' as gpu_uuids, 'power' as law,"
    " v.*, true as is_best, 0.05 as held_out_largest_error, 0.03 as held_out_median_error,"
    " 5 as tested_points, 10 as fewest_steps, 50 as most_steps, 524288 as fewest_pixels,"
    " 524288 as most_pixels, 1 as fewest_frames, 1 as most_frames,"
    " 'a model fitted to measurements' as basis"
    " from (values ('scale', 10.0, 9.0, 11.0), ('steps_exponent', -1.0, -1.1, -0.9))"
    " as v(term, term_value, term_low, term_high), lists"
)
LAW_PROOF = (
    "select list || n as proof_id, list as law_id, list || n as point_id, 'some/model' as model_id,"
    " 'H200' as gpu_model, 1 as num_gpus, list as runtime_version, 'power' as law,"
    " 10 * n as inference_steps, 512 as height, 1024 as width, null::integer as num_frames,"
    " 100.0 * n as measured_joules, 100.0 * n * (1 + n / 100) as predicted_joules, n / 100 as error,"
    " 100.0 * n as fitted_joules, true as is_within_others, true as is_proven"
    " from range(1, 6) as t(n), lists"
)
SURFACE_FAULTS = {
    "point_has_its_knobs": "output_unit = 'video'",
    "energy_of_point_is_plausible": "energy_per_output_joules = null",
    "point_is_within_its_interval": "energy_per_output_high_joules = 99",
    "point_names_its_runs": "runs = 2, interval_is_over = 'runs'",
}
"""What is wrong with the first point. The law of its family may contradict it, too."""
LAW_FAULTS = {
    "law_is_no_measured_row": "basis = 'measured'",
    "law_is_proven": "held_out_largest_error = 0.11",
    "error_beside_law_is_that_of_the_proof": "held_out_median_error = 0.02",
    "term_is_within_its_interval": "term_value = -1, term_low = -2",
    "law_ends_where_points_end": "most_steps = 80",
    "one_law_is_best": "is_best = false",
}
"""What is wrong with the law's scale, or with both of its terms."""
LAW_PROOF_FAULTS = {
    "proof_is_of_a_measured_point": "measured_joules = 101, error = 0",
    "error_follows_from_both_energies": "error = 0.02",
    "energy_by_a_law_is_positive": "fitted_joules = 0",
    "proven_law_has_its_terms": "is_proven = false",
}
UNCHANGED_FAULTS = {"unchanged_is_said_by_canaries": "canaries_unchanged_until = '0.3'"}


@pytest.fixture(scope="module")
def auditor() -> Auditor:
    return Auditor()


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Five good leaderboard rows, one more for every fault, and a good minimum."""
    path = tmp_path / "candidate.duckdb"
    connection = duckdb.connect(str(path))
    connection.execute("create schema marts")
    columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
    connection.execute(f"create table marts.leaderboard ({columns})")
    for name in ("good-1", "good-2", *ROW_FAULTS):
        connection.execute(f"insert into marts.leaderboard values ('{name}', {GOOD})")
    connection.execute(
        "create table marts.min_energy_configurations as"
        " select 'm-1' as min_energy_id, 'gpus' as scope, * from marts.leaderboard"
        " where leaderboard_id = 'good-2'"
    )
    for name, edit in (("canary", "runtime_version = '0.2'"), ("canary-old", "task = task")):
        connection.execute(f"insert into marts.leaderboard values ('{name}', {GOOD})")
        connection.execute(f"update marts.leaderboard set {edit} where leaderboard_id = '{name}'")
    connection.execute(f"create table marts.release_history as {HISTORY}")
    connection.execute(f"create table marts.release_summary as {SUMMARY}")
    connection.execute(f"create table marts.release_canaries as {CANARIES}")
    connection.execute(f"create table marts.canary_savings as {SAVINGS}")
    connection.execute(f"create table marts.energy_under_load as {LOAD}")
    connection.execute(f"create table marts.serving_capacity as {CAPACITY}")
    connection.execute(f"create table marts.joules_per_correct_answer as {ACCURACY}")
    connection.execute(f"create table marts.waiting_costs as {WAITING}")
    connection.execute("create temp table lists as select 'good' as list")
    connection.execute(f"create table marts.energy_prices as {PRICES}")
    connection.execute(f"create table marts.energy_price_proof as {PRICE_PROOF}")
    connection.execute("create or replace temp table lists as select 'H200' as list")
    connection.execute(f"create table marts.variance_components as {COMPONENTS}")
    connection.execute(f"create table marts.uncertainty_budget as {BUDGET}")
    connection.execute("create or replace temp table lists as select 'good' as list")
    connection.execute(f"create table marts.diffusion_energy_surface as {SURFACE}")
    connection.execute(f"create table marts.diffusion_energy_law as {LAWS}")
    connection.execute(f"create table marts.diffusion_law_proof as {LAW_PROOF}")
    unchanged = "set canaries_unchanged_until = '0.2' where leaderboard_id = 'good-1'"
    connection.execute(f"update marts.leaderboard {unchanged}")
    for name in ("run_log", "quarantine", "publications"):
        connection.execute(f"create table marts.{name} (n integer)")
    connection.close()
    return path


def change(database: Path, *statements: str) -> None:
    connection = duckdb.connect(str(database))
    for statement in statements:
        connection.execute(statement)
    connection.close()


def test_good_marts_pass(auditor: Auditor, database: Path) -> None:
    assert audit_marts(auditor, database).findings == ()


def test_each_fault_is_found_on_its_own_row(auditor: Auditor, database: Path) -> None:
    change(
        database,
        *(
            f"update marts.leaderboard set {edit} where leaderboard_id = '{name}'"
            for name, edit in ROW_FAULTS.items()
        ),
    )
    found = {
        (finding.check, finding.key.rsplit(" | ", 1)[-1])
        for finding in audit_marts(auditor, database).critical
    }
    for name in set(ROW_FAULTS) - {"key_is_unique"}:
        assert (name, name[:8]) in found
    assert ("key_is_unique", "good-1") in found


def test_minima_must_stand_on_the_leaderboard(auditor: Auditor, database: Path) -> None:
    minimum = "from marts.min_energy_configurations where min_energy_id = 'm-1'"
    change(
        database,
        f"insert into marts.min_energy_configurations select * replace ('all' as scope) {minimum}",
        f"insert into marts.min_energy_configurations"
        f" select * replace ('m-2' as min_energy_id, 'nowhere' as leaderboard_id) {minimum} limit 1",
        f"insert into marts.min_energy_configurations"
        f" select * replace ('m-3' as min_energy_id, 0.05 as energy_per_output_joules, 64 as batch_size)"
        f" {minimum} limit 1",
        f"insert into marts.min_energy_configurations select * replace ('m-4' as min_energy_id,"
        f" null as energy_per_output_joules, 'gpqa-2' as task) {minimum} limit 1",
    )
    found = {(finding.check, finding.key) for finding in audit_marts(auditor, database).critical}
    row = "mlenergy-v3 | some/model | {} | 1x H200 | batch {} | 0.1 | {}"
    assert found >= {
        ("minimum_is_on_leaderboard", "gpus | " + row.format("gpqa", 32, "nowhere")),
        ("minimum_equals_leaderboard", "gpus | " + row.format("gpqa", 64, "good-2")),
        ("key_is_unique", "all | " + row.format("gpqa", 32, "good-2")),
        ("minimum_has_energy", "gpus | " + row.format("gpqa-2", 32, "good-2")),
    }


APART = (
    {"release_history": HISTORY_FAULTS, "release_summary": SUMMARY_FAULTS, "leaderboard": UNCHANGED_FAULTS},
    {"release_canaries": CANARY_FAULTS, "canary_savings": SAVINGS_FAULTS},
    {"serving_capacity": CAPACITY_FAULTS},
    {"joules_per_correct_answer": ACCURACY_FAULTS},
    {"waiting_costs": WAITING_FAULTS},
)
"""Faults of marts that look at each other. Those of one group are made one after the other."""
ROUNDS = zip_longest(
    *([(mart, *fault) for mart, faults in group.items() for fault in faults.items()] for group in APART)
)


@pytest.mark.parametrize("faults", [[fault for fault in each if fault] for each in ROUNDS])
def test_a_fault_is_refused_in_its_mart_and_nothing_else_is(
    auditor: Auditor, database: Path, faults: list[tuple[str, str, str]]
) -> None:
    """One fault of each group at a time; `leaderboard and canaries` is checks of that mart, too."""
    change(database, *(f"update marts.{mart} set {edit}" for mart, _, edit in faults))
    results = audit_marts(auditor, database).results
    refused = {(result.table.split()[0], result.check.name) for result in results if result.refuses}
    assert refused == {(mart, check) for mart, check, _ in faults}


@pytest.mark.parametrize(("check", "edit"), LOAD_FAULTS.items(), ids=LOAD_FAULTS)
def test_a_fault_in_a_load_is_refused(auditor: Auditor, database: Path, check: str, edit: str) -> None:
    """A capacity at that load may contradict it, too."""
    change(database, f"update marts.energy_under_load set {edit}")
    assert check in {finding.check for finding in audit_marts(auditor, database).critical}


def test_each_fault_in_prices_is_found_on_its_own_list(auditor: Auditor, database: Path) -> None:
    change(
        database,
        f"create temp table lists as select unnest({[*PRICE_FAULTS, *PROOF_FAULTS]}) as list",
        f"insert into marts.energy_prices {PRICES}",
        f"insert into marts.energy_price_proof {PRICE_PROOF}",
        *(
            f"update marts.energy_prices set {edit}"
            f" where price_list_id = '{name}' and component = '{component}'"
            for name, (component, edit) in PRICE_FAULTS.items()
        ),
        *(
            f"update marts.energy_price_proof set {edit} where price_list_id = '{name}'"
            for name, edit in PROOF_FAULTS.items()
        ),
    )
    found = {(finding.check, finding.key) for finding in audit_marts(auditor, database).critical}
    for name in (*PRICE_FAULTS, *PROOF_FAULTS):
        assert any(check == name and f" | {name} | " in key for check, key in found), name
    assert not any(" | good | " in key for _, key in found)


def test_each_fault_in_an_uncertainty_is_found_on_its_own_gpu(auditor: Auditor, database: Path) -> None:
    names = [*COMPONENT_FAULTS, *BUDGET_FAULTS, *UNCERTAIN_ROW_FAULTS]
    change(
        database,
        *(f"insert into marts.leaderboard values ('{name}', {GOOD})" for name in names),
        f"update marts.leaderboard set gpu_model = leaderboard_id where leaderboard_id in {tuple(names)}",
        f"create temp table lists as select unnest({names}) as list",
        f"insert into marts.variance_components {COMPONENTS}",
        f"insert into marts.uncertainty_budget {BUDGET}",
        *(
            f"update marts.{mart} set {edit} where starts_with({key}, '{name}{source}')"
            for mart, key, faults in (
                ("variance_components", "component_id", COMPONENT_FAULTS),
                ("uncertainty_budget", "budget_id", BUDGET_FAULTS),
            )
            for name, (source, edit) in faults.items()
        ),
        *(
            f"update marts.leaderboard set {edit} where leaderboard_id = '{name}'"
            for name, edit in UNCERTAIN_ROW_FAULTS.items()
        ),
    )
    found = {(finding.check, finding.key) for finding in audit_marts(auditor, database).critical}
    for name in set(names) - {"budget_has_its_row"}:
        assert any(check == name and f" | {name} | " in key for check, key in found), name
    assert any(check == "budget_has_its_row" and key.endswith(" | nowhere") for check, key in found)
    assert not any(" | H200 | run" in key or " | H200 | gpu" in key for _, key in found)


def test_each_fault_in_a_law_is_found_on_its_own_family(auditor: Auditor, database: Path) -> None:
    names = [*SURFACE_FAULTS, *LAW_FAULTS, *LAW_PROOF_FAULTS]
    change(
        database,
        f"create temp table lists as select unnest({names}) as list",
        *(
            f"insert into marts.{mart} {rows}"
            for mart, rows in (
                ("diffusion_energy_surface", SURFACE),
                ("diffusion_energy_law", LAWS),
                ("diffusion_law_proof", LAW_PROOF),
            )
        ),
        *(
            f"update marts.{mart} set {edit} where {key} = '{name}{place}'"
            for mart, key, place, faults in (
                ("diffusion_energy_surface", "point_id", 1, SURFACE_FAULTS),
                ("diffusion_energy_law", "term_id", "scale", LAW_FAULTS),
                ("diffusion_law_proof", "proof_id", 1, LAW_PROOF_FAULTS),
            )
            for name, edit in faults.items()
        ),
        "update marts.diffusion_energy_law set is_best = false where law_id = 'one_law_is_best'",
    )
    found = {(finding.check, finding.key) for finding in audit_marts(auditor, database).critical}
    for name in names:
        assert any(check == name and f" | {name} | " in key for check, key in found), name
    assert not any(" | good | " in key for _, key in found)


MARTS_WITH_KEYS = (
    *("release_history", "release_summary", "release_canaries", "canary_savings"),
    *("energy_under_load", "serving_capacity", "joules_per_correct_answer", "waiting_costs"),
    *("energy_prices", "energy_price_proof", "variance_components", "uncertainty_budget"),
    *("diffusion_energy_surface", "diffusion_energy_law", "diffusion_law_proof"),
)


def test_nothing_may_appear_twice_in_a_mart(auditor: Auditor, database: Path) -> None:
    change(database, *(f"insert into marts.{mart} from marts.{mart}" for mart in MARTS_WITH_KEYS))
    results = audit_marts(auditor, database).results
    twice = {result.table for result in results if result.check.name == "key_is_unique" and result.refuses}
    assert twice == set(MARTS_WITH_KEYS)


def test_every_critical_mart_check_is_tried() -> None:
    tried = set(ROW_FAULTS) | {"some_rows", "has_leaderboard_id", "minimum_is_on_leaderboard"}
    tried |= {"minimum_equals_leaderboard", "minimum_has_energy", *HISTORY_FAULTS, *SUMMARY_FAULTS}
    tried |= {
        *CANARY_FAULTS,
        *SAVINGS_FAULTS,
        *UNCHANGED_FAULTS,
        *LOAD_FAULTS,
        *CAPACITY_FAULTS,
        *ACCURACY_FAULTS,
        *WAITING_FAULTS,
        *PRICE_FAULTS,
        *PROOF_FAULTS,
        *COMPONENT_FAULTS,
        *BUDGET_FAULTS,
        *UNCERTAIN_ROW_FAULTS,
        *SURFACE_FAULTS,
        *LAW_FAULTS,
        *LAW_PROOF_FAULTS,
    }
    every = (*leaderboard_checks(), *minima_checks(), *history_checks(), *release_checks(), *canary_checks())
    every += (*load_checks(), *accuracy_checks(), *price_checks(), *variance_checks(), *law_checks())
    checks = {check.name for check in every if check.severity is Severity.CRITICAL}
    assert checks == tried


def test_a_missing_mart_is_refused(auditor: Auditor, database: Path) -> None:
    change(database, "drop table marts.run_log")
    (finding,) = audit_marts(auditor, database).critical
    assert (finding.check, finding.key) == ("mart_is_there", "run_log")


def test_an_empty_leaderboard_is_refused(auditor: Auditor, database: Path) -> None:
    releases = ("release_history", "release_summary", "release_canaries", "canary_savings")
    marts = ("leaderboard", "min_energy_configurations", "uncertainty_budget", *releases)
    change(database, *(f"delete from marts.{mart}" for mart in marts))
    (finding,) = audit_marts(auditor, database).critical
    assert finding.check == "some_rows"


def test_a_check_that_cannot_be_made_refuses(auditor: Auditor) -> None:
    """What cannot be checked is not published, also when the check itself only warns."""
    check = Check("odd", Severity.WARNING, "odd", column="absent", within=Tolerance(0, 1, "", "test"))
    audit = auditor.audit(Level.MART, "table", pd.DataFrame({"key": ["a"]}), [check], key=["key"])
    (finding,) = audit.critical
    assert "absent" in finding.observed and finding.reason == "the check could not be run"
