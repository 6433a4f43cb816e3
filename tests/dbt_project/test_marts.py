"""What the marts hold, given sample runs of ours and published rows side by side."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

import duckdb
import pytest
import yaml

from benchmark_tasks.results import identity
from expectations.candidate.build import PROJECT

MARTS = {path.stem for path in (PROJECT / "models" / "marts").rglob("*.sql")}
Warehouse = Any  # the fixtures' `conftest.Warehouse`
REFUSED = "energy counter and integral of power differ"
OURS = "data_source = 'jouleboard'"


def one(connection: duckdb.DuckDBPyConnection, query: str) -> tuple:
    rows = connection.execute(query).fetchall()
    assert len(rows) == 1, rows
    return rows[0]


def test_every_mart_is_there(marts: duckdb.DuckDBPyConnection) -> None:
    names = marts.execute("select table_name from information_schema.tables where table_schema = 'marts'")
    assert sorted(name for (name,) in names.fetchall()) == sorted(MARTS)


def test_every_mart_is_in_the_guide_for_analysts() -> None:
    guide = (PROJECT.parent / "docs" / "analysts.md").read_text()
    _, _, section = guide.partition("## Which mart answers what\n")
    rows = [line for line in section.partition("\n## ")[0].splitlines() if line.startswith("|")]
    named = [mart for row in rows for mart in re.findall(r"`(\w+)`", row.split("|")[2])]
    assert sorted(named) == sorted(MARTS)


def test_every_row_says_whose_it_is(marts: duckdb.DuckDBPyConnection) -> None:
    for mart in MARTS:
        (strangers,) = one(
            marts,
            f"select count(*) from marts.{mart} where data_source is null"
            " or data_source not in ('jouleboard', 'mlenergy-v3')",
        )
        assert strangers == 0, mart


def test_every_column_is_described_with_its_type(warehouse: Warehouse) -> None:
    import json

    manifest = json.loads((warehouse.built.database.parent / "target" / "manifest.json").read_text())
    models = {
        node["name"]: node
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and node["schema"] == "marts"
    }
    assert models.keys() == MARTS
    with warehouse.connect() as connection:
        for name, node in models.items():
            columns = {row[0] for row in connection.execute(f"describe marts.{name}").fetchall()}
            assert columns == node["columns"].keys(), name
            assert node["contract"]["enforced"], name
            assert node["description"].startswith("Grain: one row per "), name
            assert all(column["description"] for column in node["columns"].values()), name


def test_the_project_repeats_no_list_of_keys() -> None:
    variables = yaml.safe_load((PROJECT / "dbt_project.yml").read_text())["vars"]
    assert not variables.keys() & identity.dbt_variables().keys()


def test_the_lists_of_keys_for_dbt_without_a_refresh() -> None:
    command = [sys.executable, "-m", "benchmark_tasks.results.identity"]
    printed = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(printed.stdout) == identity.dbt_variables()


def test_a_fresh_install_builds_with_nothing_in_it(empty_warehouse: Warehouse) -> None:
    with empty_warehouse.connect() as connection:
        counts = {mart: one(connection, f"select count(*) from marts.{mart}")[0] for mart in MARTS}
    assert counts == dict.fromkeys(MARTS, 0)


def test_repeats_become_a_mean_with_an_interval(marts: duckdb.DuckDBPyConnection) -> None:
    repeats, mean, low, high = one(
        marts,
        "select energy_repeats, energy_per_output_joules, energy_per_output_low_joules,"
        f" energy_per_output_high_joules from marts.leaderboard where {OURS} and batch_size = 32"
        " and runtime_version = '0.26.0' and power_limit_watts = 700 and num_gpus = 1"
        " and task = 'lm-arena-chat' and weight_precision = 'bfloat16'",
    )
    # 500, 501, 502 W at 4,000 tokens/s: mean 0.12525 J; t(0.975, 2) x 0.00025 / sqrt(3) = 0.000621.
    assert repeats == 3
    assert mean == pytest.approx(501 / 4000)
    assert (high - mean, mean - low) == pytest.approx((0.00062103, 0.00062103), rel=1e-4)


def test_only_repeated_energy_is_ranked(marts: duckdb.DuckDBPyConnection) -> None:
    ranked = marts.execute(
        "select batch_size, runtime_version, energy_rank, energy_position from marts.leaderboard"
        f" where {OURS} and task = 'lm-arena-chat' and power_limit_watts = 700"
        " and num_gpus = 1 and weight_precision = 'bfloat16'"
        " order by runtime_version, batch_size"
    ).fetchall()
    assert [row[:3] for row in ranked] == [
        (32, "0.26.0", 2),
        (64, "0.26.0", 1),
        (128, "0.26.0", None),  # two repeats
        (32, "0.27.0", 1),  # another version has a ranking of its own
    ]


def test_a_run_that_never_settled_is_in_the_log_and_nowhere_else(marts: duckdb.DuckDBPyConnection) -> None:
    never = "select count(*) from marts.run_log where not is_settled and status = 'completed'"
    assert one(marts, never) == (1,)
    assert one(marts, f"select count(*) from marts.leaderboard where {OURS} and batch_size = 8") == (0,)


def test_runs_without_energy_are_listed_for_speed_and_never_ranked(marts: duckdb.DuckDBPyConnection) -> None:
    row = one(
        marts,
        "select energy_source, energy_per_output_joules, energy_rank, energy_position, throughput_per_second,"
        f" median_itl_ms from marts.leaderboard where {OURS} and gpu_model = 'none'",
    )
    assert row == ("none", None, None, None, 40.0, 80.0)
    for mart in ("min_energy_configurations", "gpu_generation_comparison", "time_energy_frontier"):
        column = "new_gpu_model" if mart == "gpu_generation_comparison" else "gpu_model"
        assert one(marts, f"select count(*) from marts.{mart} where {column} = 'none'") == (0,)


def test_refused_and_failed_runs_count_for_nothing(
    marts: duckdb.DuckDBPyConnection, warehouse: Warehouse
) -> None:
    refused, failed = warehouse.runs["refused"].run_id, warehouse.runs["failed"].run_id
    reasons = dict(marts.execute("select run_id, reasons from marts.quarantine").fetchall())
    assert reasons == {refused: REFUSED, failed: "the run did not complete"}
    logged = marts.execute(
        "select energy_per_output_joules, counts_for_speed from marts.run_log where run_id in (?, ?)",
        [refused, failed],
    ).fetchall()
    assert logged == [(None, False), (None, False)]
    # 5 W at 4,000 tokens/s would be the lowest energy of all.
    assert one(marts, f"select min(energy_per_output_joules) > 0.01 from marts.leaderboard where {OURS}") == (
        True,
    )


def test_every_run_is_in_the_log_once(marts: duckdb.DuckDBPyConnection, warehouse: Warehouse) -> None:
    assert one(marts, f"select count(*), count(distinct run_id) from marts.run_log where {OURS}") == (
        len(warehouse.runs),
        len(warehouse.runs),
    )


def test_versions_are_compared_with_an_interval(marts: duckdb.DuckDBPyConnection) -> None:
    row = one(
        marts,
        "select runtime_version, old_runtime_version, round(energy_change, 4), energy_change_high < 0,"
        " energy_verdict, latency_verdict from marts.runtime_version_comparison where batch_size = 32",
    )
    assert row == ("0.27.0", "0.26.0", round(401 / 501 - 1, 4), True, "better", "no clear change")


def test_versions_are_compared_on_the_gpus_that_measured_both(marts: duckdb.DuckDBPyConnection) -> None:
    rows = marts.execute(
        "select batch_size, on_same_gpus, energy_repeats, old_energy_repeats, round(energy_change, 4),"
        " energy_verdict"
        " from marts.runtime_version_comparison where nickname = 'Qwen 3 14B' order by 1"
    ).fetchall()
    # On B alone -1 %; with A's runs it would be -3 %. Batch 48 has no GPU in common. Batch 72 is equal on
    # each GPU; the plain means of four runs would be -2 %.
    assert rows == [
        (24, True, 2, 2, round(381 / 385 - 1, 4), "no clear change"),
        (48, False, 2, 2, round(476 / 501 - 1, 4), "better"),
        (72, True, 4, 4, 0.0, "no clear change"),
    ]


def test_a_history_says_what_the_comparison_of_two_versions_says(marts: duckdb.DuckDBPyConnection) -> None:
    rows = marts.execute(
        "select history.nickname, history.batch_size, history.release_position, history.energy_verdict,"
        " round(history.energy_change, 4), round(history.energy_change_since_first, 4), history.confirmation"
        " from marts.release_history as history inner join marts.runtime_version_comparison as compared"
        " on history.configuration_id = compared.configuration_id"
        " and history.runtime_version = compared.runtime_version and compared.versions_back = 1"
        " and history.power_limit_watts is not distinct from compared.power_limit_watts"
        " and history.energy_change is not distinct from compared.energy_change"
        " and history.energy_change_low is not distinct from compared.energy_change_low"
        " and history.energy_verdict = compared.energy_verdict order by all"
    ).fetchall()
    # Nothing was measured A B B A on one GPU. Batch 48 has no GPU in common: no change, below.
    assert rows == [
        ("Qwen 3 14B", 24, 2, "no clear change", -0.0104, -0.0104, "not rerun"),
        ("Qwen 3 14B", 72, 2, "no clear change", 0.0, 0.0, "not rerun"),
        ("Qwen 3 8B", 32, 2, "better", -0.1996, -0.1996, "not rerun"),
    ]


def test_releases_without_a_common_gpu_have_no_change(marts: duckdb.DuckDBPyConnection) -> None:
    row = one(
        marts,
        "select energy_change, energy_change_low, energy_change_high, energy_change_since_first,"
        " energy_verdict from marts.release_history"
        " where nickname = 'Qwen 3 14B' and batch_size = 48 and release_position = 2",
    )
    assert row == (None, None, None, None, "not measured")


def test_a_release_is_summed_up(marts: duckdb.DuckDBPyConnection) -> None:
    rows = marts.execute(
        "select runtime_version, release_position, configurations_measured = (select count(*)"
        " from marts.leaderboard where data_source = 'jouleboard' and runtime = 'vllm'"
        " and runtime_version = summary.runtime_version), configurations_compared, energy_lower,"
        " energy_higher, energy_unchanged, changes_confirmed"
        " from marts.release_summary as summary where runtime = 'vllm' order by release_position"
    ).fetchall()
    assert rows == [("0.26.0", 1, True, 0, 0, 0, 0, 0), ("0.27.0", 2, True, 3, 1, 0, 2, 0)]


def test_a_row_says_how_many_gpus_and_servers_are_behind_its_energy(marts: duckdb.DuckDBPyConnection) -> None:
    rows = marts.execute(
        "select runtime_version, energy_repeats, energy_gpus, energy_servers from marts.leaderboard"
        " where nickname = 'Qwen 3 14B' and data_source = 'jouleboard' and batch_size = 24 order by 1"
    ).fetchall()
    assert rows == [("0.26.0", 4, 2, 3), ("0.27.0", 2, 1, 1)]
    unknown = "energy_gpus is null and energy_servers is null"
    assert one(
        marts,
        f"select bool_and({unknown}) from marts.leaderboard"
        " where data_source = 'mlenergy-v3' or energy_per_output_joules is null",
    ) == (True,)
    logged = "select distinct gpu_uuids from marts.run_log where nickname = 'Qwen 3 14B'"
    assert marts.execute(f"{logged} and {OURS} order by 1").fetchall() == [("A",), ("B",)]


def test_a_power_cap_is_not_compared_with_another(marts: duckdb.DuckDBPyConnection) -> None:
    caps = marts.execute(
        f"select power_limit_watts, energy_position from marts.leaderboard where {OURS} and batch_size = 32"
        " and power_limit_watts = 500"
    ).fetchall()
    assert caps == [(500.0, 1)]
    assert one(marts, f"select count(*) from marts.multi_gpu_scaling where {OURS}") == (1,)
    assert one(
        marts,
        f"select batch_size_bucket, round(energy_change, 4) from marts.precision_comparison where {OURS}",
    ) == ("17-64", round(450 / 501 - 1, 4))


def test_images_have_energy_per_image_and_batch_latency(marts: duckdb.DuckDBPyConnection) -> None:
    row = one(
        marts,
        "select output_unit, energy_per_output_joules, energy_per_response_joules, throughput_per_second,"
        f" batch_latency_seconds, median_itl_ms is null from marts.leaderboard where {OURS}"
        " and task = 'text-to-image'",
    )
    assert row[:5] == ("image", 500.0, 500.0, 1.0, 2.0)
    assert one(
        marts, f"select energy_per_megapixel_step_joules from marts.diffusion_parameters where {OURS}"
    ) == pytest.approx((500 / (1.048576 * 28),))


def test_pictures_and_clips_stand_beside_the_text_sibling(marts: duckdb.DuckDBPyConnection) -> None:
    rows = marts.execute(
        "select modality, text_model_id, text_batch_size, energy_per_token_joules, energy_per_token_ratio,"
        " mean_preprocessing_ms, text_mean_preprocessing_ms, frontend_cpu_cores, mean_kv_cache_usage"
        f" from marts.modality_comparison where {OURS} and scope = 'gpu-count' order by modality"
    ).fetchall()
    text = (650 + 655) / 2 / 12_000
    assert rows == [
        ("image", "Qwen/Qwen3-8B", 128, 0.24, pytest.approx(0.24 / text), 40.0, 2.0, 2.5, 0.3),
        ("video", "Qwen/Qwen3-8B", 128, 0.3, pytest.approx(0.3 / text), 40.0, 2.0, 2.5, 0.3),
    ]
    row = one(
        marts,
        "select nickname, server_cpu_cores, frontend_cpu_cores, mean_preprocessing_ms, max_kv_cache_usage"
        f" from marts.leaderboard where {OURS} and task = 'image-chat'",
    )
    assert row == ("Qwen 3 VL 8B Instruct", 3.0, 2.5, 40.0, 0.4)


def test_no_mart_pairs_the_two_sources(marts: duckdb.DuckDBPyConnection) -> None:
    (mixed,) = one(
        marts,
        "select count(*) from marts.time_energy_frontier as row"
        " join marts.leaderboard as other on other.leaderboard_id = row.dominated_by_leaderboard_id"
        " where other.data_source <> row.data_source",
    )
    assert mixed == 0
    for mart in ("task_comparison", "precision_comparison", "multi_gpu_scaling", "modality_comparison"):
        sources = {
            row[0] for row in marts.execute(f"select distinct data_source from marts.{mart}").fetchall()
        }
        assert sources <= {"jouleboard", "mlenergy-v3"}
    assert one(
        marts,
        "select count(*) from (select comparability_id from marts.leaderboard group by 1"
        " having count(distinct data_source) > 1)",
    ) == (0,)


def test_the_ledger_adds_up(marts: duckdb.DuckDBPyConnection, warehouse: Warehouse) -> None:
    runs = warehouse.runs["two GPUs"]
    row = one(
        marts,
        "select gpu_hours, energy_kwh, is_sweep from marts.campaign_ledger where campaign_id = "
        f"'{runs.run_id}'",
    )
    # 90 + 5 + 80 s on two GPUs; 9,000 + 2,000 + 72,000 J.
    assert row == pytest.approx((175 * 2 / 3600, 83_000 / 3.6e6, False))
    assert one(
        marts,
        "select energy_kwh, runs_without_energy from marts.campaign_ledger where campaign_id = "
        f"'{warehouse.runs['no GPU'].run_id}'",
    ) == (None, 1)


def test_every_row_has_its_evidence(marts: duckdb.DuckDBPyConnection, warehouse: Warehouse) -> None:
    assert one(
        marts,
        "select count(*) from marts.leaderboard anti join marts.row_evidence using (leaderboard_id)",
    ) == (0,)
    runs = [warehouse.runs[f"batch 32 repeat {number}"] for number in range(3)]
    row = one(
        marts,
        "select evidence.runs, gpus, gpu_seconds, energy_kwh, run_ids from marts.row_evidence as evidence"
        f" where contains(run_ids, '{runs[0].run_id}')",
    )
    assert set(row[-1].split(", ")) == {run.run_id for run in runs}
    # 90 + 5 + 80 s and 9,000 + 2,000 + 40,000 J for each run.
    phases = [(phase.seconds, phase.joules) for run in runs for phase in run.phases]
    seconds, joules = (sum(column) for column in zip(*phases, strict=True))
    assert row[:4] == pytest.approx((3, 1, seconds, joules / 3.6e6))


def test_every_run_behind_a_row_is_in_the_log(marts: duckdb.DuckDBPyConnection) -> None:
    assert one(
        marts,
        "select count(*) from (select unnest(string_split(run_ids, ', ')) as run_id from marts.row_evidence)"
        " anti join (select run_id from marts.run_log where is_accepted) using (run_id)",
    ) == (0,)


def test_power_and_lengths_are_those_of_the_bundle(
    marts: duckdb.DuckDBPyConnection, warehouse: Warehouse
) -> None:
    run_id = warehouse.runs["batch 32 repeat 0"].run_id
    assert marts.execute(
        "select start_seconds, end_seconds, mean_power_watts, is_in_steady_window from marts.power_over_time"
    ).fetchall() == [(-4.0, 6.0, 80.0, False), (16.0, 26.0, 500.0, True)]
    assert marts.execute(
        "select bin_start_tokens, bin_end_tokens, responses, share_of_responses"
        " from marts.output_length_distribution inner join marts.row_evidence using (leaderboard_id)"
        f" where contains(run_ids, '{run_id}') order by bin_start_tokens"
    ).fetchall() == [(4.0, 8.0, 3, 0.75), (8.0, 12.0, 1, 0.25)]


def test_published_lengths_are_those_of_the_source(published: duckdb.DuckDBPyConnection) -> None:
    rows = published.execute(
        "select count(distinct leaderboard_id) from marts.output_length_distribution"
        " where data_source = 'mlenergy-v3'"
    ).fetchall()
    assert rows == [(835,)]  # 838 measurements of token tasks, three configurations among them twice
    # Energy per response, bin by bin, is about the mean that was published beside it.
    (share,) = one(
        published,
        """
        with means as (
            select
                leaderboard_id,
                sum(share_of_responses * (energy_start_joules + energy_end_joules) / 2) as joules
            from marts.output_length_distribution
            group by leaderboard_id
        )
        select median(joules / energy_per_response_joules)
        from means inner join marts.leaderboard using (leaderboard_id)
        where data_source = 'mlenergy-v3'
        """,
    )
    assert share == pytest.approx(1, abs=0.02)


def test_changes_name_the_rows_that_came_and_went(marts: duckdb.DuckDBPyConnection) -> None:
    changes = dict(
        marts.execute("select change, count(*) from marts.publication_changes group by change").fetchall()
    )
    (rows,) = one(marts, "select count(*) from marts.leaderboard")
    assert changes == {"came": rows, "went": 1}
    assert one(
        marts,
        "select leaderboard_id, nickname, previous_publication_number from marts.publication_changes"
        " where change = 'went'",
    ) == ("withdrawn", "A model that is no longer here", 1)


def test_earlier_publications_are_listed(marts: duckdb.DuckDBPyConnection) -> None:
    assert one(marts, "select publication_number, note, gate_verdict from marts.publications") == (
        1,
        "first",
        "accepted",
    )


def test_the_unit_tests_ran(warehouse: Warehouse) -> None:
    assert warehouse.built.count("unit_test") >= 17
    assert all(node.status in ("pass", "success", "no-op") for node in warehouse.built.nodes)


def test_documentation_is_one_file(warehouse: Warehouse) -> None:
    assert warehouse.built.docs is not None
    assert "energy_per_output_joules" in warehouse.built.docs.read_text()
