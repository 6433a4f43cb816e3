"""What ML.ENERGY published about its data, recomputed from the marts alone."""

from __future__ import annotations

import re

import duckdb
import pytest

from benchmarks.findings import QUERIES, PublishedFinding, check, read_findings
from benchmarks.published import require_published_folder

SOURCE = "data_source = 'mlenergy-v3'"

# From the data dictionary and the v3.0 post; not in findings.csv.
OTHERS = {
    "1,855 configurations": ("select count(*) from marts.leaderboard where S", 1855, 0),
    "replicates differ by 5, 10 and 19 %": (
        "select string_agg(round(100 * measurement_energy_spread, 1), ' ' order by measurement_energy_spread)"
        " from marts.leaderboard where S and measurements = 2",
        "5.2 10.2 19.0",
        None,
    ),
    "72 LLM groups": (
        "select count(*) from marts.batch_size_scaling where S and architecture = 'llm' and batch_size = 16",
        72,
        0,
    ),
    "batch 16 over minimum, highest": (
        "select max(energy_ratio_to_minimum) from marts.batch_size_scaling"
        " where S and architecture = 'llm' and batch_size = 16",
        18.9,
        0.05,
    ),
    "batch 16 over minimum, median": (
        "select median(energy_ratio_to_minimum) from marts.batch_size_scaling"
        " where S and architecture = 'llm' and batch_size = 16",
        4.4,
        0.05,
    ),
    "721 steps of LLM and MLLM series": (
        "select count(previous_batch_size) from marts.batch_size_scaling"
        " where S and architecture <> 'diffusion'",
        721,
        0,
    ),
    "17, 30, 27, 186 steps go the wrong way": (
        "select concat_ws(' ', count(*) filter (energy_step_change > 0),"
        " count(*) filter (throughput_step_change < 0), count(*) filter (latency_step_change < 0),"
        " count(*) filter (power_step_change < 0)) from marts.batch_size_scaling"
        " where S and architecture <> 'diffusion'",
        "17 30 27 186",
        None,
    ),
    "diffusion: 233 of 817 steps": (
        "select concat_ws(' ', count(*) filter (energy_step_change > 0), count(previous_batch_size))"
        " from marts.batch_size_scaling where S and architecture = 'diffusion'",
        "233 817",
        None,
    ),
    "batch 8 included: up to 84 % more energy": (
        "select 100 * max(energy_change) from marts.precision_comparison"
        " where S and parallelism_matches and batch_size_bucket = '8-16'",
        84,
        0.5,
    ),
    "batch 8 included: up to 36 % slower": (
        "select 100 * max(latency_change) from marts.precision_comparison"
        " where S and parallelism_matches and batch_size_bucket = '8-16'",
        36,
        0.5,
    ),
    "batch 17-64: 6 of 13 on energy, 11 of 13 on latency": (
        "select concat_ws(' ', count(*), count(*) filter (fp8_wins_energy),"
        " count(*) filter (fp8_wins_latency)) from marts.precision_comparison"
        " where S and parallelism_matches and batch_size_bucket = '17-64'",
        "13 6 11",
        None,
    ),
    "480B: FP8 takes more energy at every batch size": (
        "select count(*) filter (fp8_wins_energy) from marts.precision_comparison"
        " where S and not parallelism_matches",
        0,
        0,
    ),
    "text to image: B200 wins 18 of 21": (
        "select concat_ws(' ', count(*) filter (winner = 'B200'), count(*))"
        " from marts.gpu_generation_comparison where S and task = 'text-to-image'",
        "18 21",
        None,
    ),
    "text to video: B200 wins 11 of 14": (
        "select concat_ws(' ', count(*) filter (winner = 'B200'), count(*))"
        " from marts.gpu_generation_comparison where S and task = 'text-to-video'",
        "11 14",
        None,
    ),
    "text to image: median 15 % less": (
        "select 100 * median(energy_reduction) from marts.gpu_generation_comparison"
        " where S and task = 'text-to-image'",
        15,
        0.5,
    ),
    "at 50 ms 30B Thinking takes 53 % less on H100": (
        "select concat_ws(' ', round(-100 * energy_reduction), old_num_gpus, old_batch_size, new_num_gpus,"
        " new_batch_size) from marts.gpu_generation_comparison where S and task = 'gpqa'"
        " and median_itl_ceiling_ms = 50 and model_id = 'Qwen/Qwen3-30B-A3B-Thinking-2507'",
        "53.0 2 128 1 64",
        None,
    ),
    "B200: images take up to 5.2 times the energy of text": (
        "select max(energy_per_token_ratio) from marts.modality_comparison"
        " where S and scope = 'gpu-count' and gpu_model = 'B200' and modality = 'image'",
        5.2,
        0.05,
    ),
    "B200: images take at least 1.1 times the energy of text": (
        "select min(energy_per_token_ratio) from marts.modality_comparison"
        " where S and scope = 'gpu-count' and gpu_model = 'B200' and modality = 'image'",
        1.1,
        0.05,
    ),
    "808 tokens a chat answer of the text siblings": (
        "select avg(output_tokens_per_response) from marts.run_log where S and task = 'lm-arena-chat'"
        " and model_id in (select text_model_id from marts.modality_comparison"
        " where S and family = 'Qwen 3')",
        808,
        0.5,
    ),
    "392 tokens per video answer": (
        "select avg(output_tokens_per_response) from marts.run_log where S and task = 'video-chat'",
        392,
        0.5,
    ),
    "text to image varies 20x": (
        "select max(energy_per_output_joules) / min(energy_per_output_joules)"
        " from marts.diffusion_parameters where S and task = 'text-to-image' and gpu_model = 'B200'",
        20,
        0.5,
    ),
    "a video takes 26 kJ to 1.16 MJ": (
        "select concat_ws(' ', round(min(energy_per_output_joules) / 1e3),"
        " round(max(energy_per_output_joules) / 1e6, 2))"
        " from marts.diffusion_parameters where S and task = 'text-to-video' and gpu_model = 'B200'",
        "26.0 1.16",
        None,
    ),
    "GPT OSS 120B on H100: two GPUs take 68 % less": (
        "select 100 * (1 - max(energy_per_output_joules) filter (num_gpus = 2)"
        " / max(energy_per_output_joules) filter (num_gpus = 1)) from marts.min_energy_configurations"
        " where S and scope = 'gpu-count' and gpu_model = 'H100' and model_id = 'openai/gpt-oss-120b'",
        68,
        0.5,
    ),
    "nothing above TDP": (
        "select max(power_percent_of_tdp) <= 100 from marts.batch_size_scaling where S",
        "True",
        None,
    ),
}


def test_all_findings_hold(published: duckdb.DuckDBPyConnection) -> None:
    findings = read_findings(require_published_folder())
    outcomes = [check(finding, published) for finding in findings]
    assert [(o.finding.id, o.finding.published, o.ours) for o in outcomes if not o.holds] == []
    assert len(outcomes) == 67
    assert {path.stem for path in QUERIES.glob("*.sql")} == {finding.id for finding in findings}


@pytest.mark.parametrize("statement", OTHERS)
def test_other_statements_hold(statement: str, published: duckdb.DuckDBPyConnection) -> None:
    query, expected, tolerance = OTHERS[statement]
    ((value,),) = published.execute(re.sub(r"\bS\b", SOURCE, query)).fetchall()
    if tolerance is None:
        assert str(value) == expected
    else:
        assert value == pytest.approx(expected, abs=tolerance)


def test_queries_read_marts_only() -> None:
    for path in QUERIES.glob("*.sql"):
        tables = re.findall(r"(?:from|join)\s+(\S+)", path.read_text())
        assert tables, path
        assert all(table.startswith("marts.") for table in tables), path


@pytest.mark.parametrize(
    ("published_value", "recomputed", "holds"), [("3", "3.0", True), ("4", "4", False), ("3", "3.2", False)]
)
def test_a_miss_is_told(published_value: str, recomputed: str, holds: bool) -> None:
    finding = PublishedFinding("C3", "4x lower", published_value, recomputed, 0.5)
    with duckdb.connect() as connection:
        connection.execute(
            "create schema marts; create table marts.task_comparison as select 'mlenergy-v3' as data_source,"
            " 'Qwen/Qwen3-32B' as model_id, 'B200' as gpu_model, 1 as num_gpus, 'gpqa' as task,"
            " 'lm-arena-chat' as reference_task, 'max-batch' as basis, 2 as batch_size,"
            " 6 as reference_batch_size"
        )
        assert check(finding, connection).holds is holds


def test_a_query_without_a_value_is_a_miss() -> None:
    finding = PublishedFinding("G2", "increases", "True", "True", 0)
    with duckdb.connect() as connection:
        connection.execute(
            "create schema marts; create table marts.model_size_scaling"
            " (data_source text, task text, gpu_model text, nickname text, energy_per_output_joules double)"
        )
        assert not check(finding, connection).holds
