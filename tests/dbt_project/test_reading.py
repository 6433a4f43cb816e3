"""The living reading: its sentences say the published numbers, its figures draw what their queries give."""

from __future__ import annotations

import csv
import itertools
import json
import re
import struct
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import duckdb
import pytest

from benchmark_tasks import catalog
from benchmark_tasks.testing.waiting import until
from benchmarks.picture import FIGURE as PICTURED
from benchmarks.published import published_folder
from expectations.board.libraries import write_libraries
from expectations.board.reading import write_reading
from expectations.board.reading.figures import FIGURES, theme
from expectations.board.reading.page import chapters, read, sentence_query
from expectations.board.reading.script import figures_script
from tests.e2e.browser import CHROMIUM, Browser, running_browser

SOURCE = "mlenergy-v3"
TASKS = {task.value: entry.display_name for task, entry in catalog.load().tasks.items()}
MANIFEST = {"summary": {"publication_number": 7}}
TEXT = "Text (Problem Solving, Text Conversation)"

SAID = {
    "B1": ("tasks", None, "hard_tokens", 1),
    "B2": ("tasks", None, "chat_tokens", 1),
    "B3": ("tasks", None, "tokens_ratio", 1),
    "B4": ("tasks", None, "hard_joules", 1),
    "B5": ("tasks", None, "chat_joules", 1),
    "B6": ("tasks", None, "joules_ratio", 1),
    "C1": ("case_study", None, "hard_batch", 1),
    "C2": ("case_study", None, "chat_batch", 1),
    "C4": ("case_study", None, "hard_tokens", 1),
    "C7": ("case_study", None, "hard_joules_per_token_same_batch", 1),
    "C8": ("case_study", None, "chat_joules_per_token_same_batch", 1),
    "C10": ("case_study", None, "hard_joules_per_token", 1),
    "C11": ("case_study", None, "chat_joules_per_token", 1),
    "C13": ("case_study", None, "hard_joules", 1),
    "F1": ("batch_size_series", "DeepSeek R1", "energy_ratio", 1),
    "F2": ("batch_size_series", "Qwen 3 Coder 30B A3B", "energy_ratio", 1),
    "G1": ("experts", None, "ratio", 1),
    "H1": ("generations", TEXT, "comparisons", 1),
    "H2": ("generations", TEXT, "wins", 1),
    "H4": ("generations", TEXT, "median_reduction", 100),
    "H5": ("generations", TEXT, "lowest", 100),
    "H6": ("generations", TEXT, "highest", 100),
    "H7": ("generation_best", "text", "energy_reduction", 100),
    "K1": ("precision", "8-16", "pairs", 1),
    "K2": ("precision", "8-16", "energy_wins", 1),
    "K3": ("precision", "8-16", "energy_median", 100),
    "K4": ("precision", "8-16", "energy_low", 100),
    "K5": ("precision", "8-16", "energy_high", 100),
    "K6": ("precision", "8-16", "latency_wins", 1),
    "K7": ("precision", "8-16", "latency_median", 100),
    "K8": ("precision", "8-16", "latency_low", 100),
    "K9": ("precision", "8-16", "latency_high", 100),
    "M1": ("precision", "65-256", "pairs", 1),
    "M2": ("precision", "65-256", "energy_wins", 1),
    "M3": ("precision", "65-256", "energy_median", 100),
    "M4": ("precision", "65-256", "energy_low", 100),
    "M5": ("precision", "65-256", "energy_high", 100),
    "M6": ("precision", "65-256", "latency_wins", 1),
    "M7": ("precision", "65-256", "latency_median", 100),
    "M8": ("precision", "65-256", "latency_low", 100),
    "M9": ("precision", "65-256", "latency_high", 100),
    "O1": ("more_gpus", "B200", "faster_share", 100),
    "O2": ("more_gpus", "B200", "dearer_share", 100),
    "O3": ("more_gpus", "H100", "dearer_share", 100),
    "O4": ("more_gpus", "H100", "faster_share", 100),
}
"""Of a published finding: the sentence's query, the row (by any of its values), the column and the factor."""

DRAWN = {
    "response_energy": (
        "output_tokens_per_response",
        "energy_per_token_joules",
        "energy_per_response_joules",
    ),
    "modality": ("energy_per_token_joules", "batch_size"),
    "generated_media": ("energy_per_output_joules",),
    "batch_size": (
        "energy_percent_of_max",
        "throughput_percent_of_max",
        "latency_percent_of_max",
        "power_percent_of_tdp",
    ),
    "energy_over_batch_size": ("energy_per_token_joules", "throughput_per_watt"),
    "model_size": ("activated_params_billions", "energy_per_token_joules"),
    "gpu_generations": (
        "energy_reduction",
        "new_energy_per_output_joules",
        "old_energy_per_output_joules",
        "ceiling",
    ),
    "precision": ("bf16_energy_per_output_joules", "fp8_energy_per_output_joules", "fp8_median_itl_ms"),
    "gpu_counts": ("median_itl_ms", "energy_per_output_joules"),
    "frontier": ("median_itl_ms", "energy_per_output_joules"),
    "right_answers": ("accuracy", "accuracy_low", "accuracy_high", "energy_per_correct_answer_joules"),
}
OURS = {"right_answers"}
"""Figures of what ML.ENERGY has not published; `test_accuracy.py` draws them."""


def findings() -> dict[str, dict[str, str]]:
    folder = published_folder()
    assert folder is not None
    with (folder / "findings.csv").open() as file:
        return {row["id"]: row for row in csv.DictReader(file)}


@pytest.mark.parametrize("finding", SAID)
def test_a_sentence_says_the_published_number(finding: str, published: duckdb.DuckDBPyConnection) -> None:
    query, place, column, factor = SAID[finding]
    result = published.execute(sentence_query(query, SOURCE))
    names = [description[0] for description in result.description or ()]
    rows = [dict(zip(names, row, strict=True)) for row in result.fetchall()]
    (row,) = [row for row in rows if place is None or place in row.values()]
    expected = findings()[finding]
    tolerance = float(expected["tolerance"].removeprefix("+-"))
    assert factor * row[column] == pytest.approx(float(expected["published_value"]), abs=tolerance)


def test_the_published_numbers_stand_in_the_text(published: duckdb.DuckDBPyConnection) -> None:
    said = " ".join(
        line
        for chapter in read(published, SOURCE, TASKS)
        for sentence in chapter.sentences
        for line in sentence.lines
    )
    for words in (
        "6,988 tokens long on average and takes 4,625 J (12 models)",
        "717 tokens long and takes 184 J (16 models)",
        "10 times the tokens and 25 times the energy",
        "Qwen 3 32B on 1x B200 writes 7,035 tokens",
        "0.312 J and 0.209 J",
        "1.1 to 5.2 times as much when the request carries an image",
        "3.56 times less than with the dense Qwen 3 32B",
        "less energy than H100 in 63 of 72 comparisons. The median saving is 35 % (-53 % to +82 %)",
        "FP8 takes less energy in 0 of 7 pairs (median +30 %, +13 % to +56 %)",
        "B200, the same batch size on more GPUs: latency falls in 81 % of 37 pairs",
        "26.4 kJ (CogVideoX 2B) to 1.16 MJ (HunyuanVideo)",
        "627 in Text Conversation (11 times)",
        "0.312 J and 0.209 J (1.5 times)",
        "batch size 1536 with text and 512 with images, 64 with videos",
        "HunyuanVideo (13B) takes 4.1 times as much as Wan 2.1 14B (14B)",
        "Latency rises in 67 of the 67, throughput in 67 and power in 62",
        # G2, G3
        "Qwen 3 8B 0.173 J, Qwen 3 14B 0.183 J, Qwen 3 32B 0.312 J per token. Energy rises at every step",
        "takes 0.634 J per token on 8x B200, more than Qwen 3 32B on 1x (0.312 J)",
        # H7, H13
        "Qwen 3 235B A22B Thinking on Problem Solving takes 82 % less on 8x B200 (batch size 512)",
        "53 % more on 1x B200 (batch size 64) than on 2x H100 (batch size 128). Under looser ceilings B200"
        " takes less in 2 of 2",
        "33 % more on 2x B200 (batch size 64) than on 8x H100 (batch size 192). Under looser ceilings B200"
        " takes less in 2 of 2",
        "Stable Diffusion 3.5 Medium on Text to Image with at most 10 s per batch takes 4 % more",
        # N7
        "FP8 was served with 8 data-parallel replicas of attention and BF16 with 1",
        "FP8 takes less energy in 0 of 9 pairs",
        # O5, O6
        "reaches batch size 2048 on 2x H100, against 64 at its best on 1x, and takes 68 % less per token",
        "takes 60.8 mJ per token at its best, against 39.7 mJ",
        "4x B200 has 8 of its 9 points on the frontier and takes 0.418 J per token at best",
    ):
        assert words in said


@pytest.mark.parametrize("name", sorted(FIGURES.keys() - OURS))
def test_a_figure_draws_the_numbers_of_its_query(name: str, published: duckdb.DuckDBPyConnection) -> None:
    rows = FIGURES[name].rows(published, SOURCE)
    drawn = set(_numbers(FIGURES[name].chart(rows, TASKS).to_dict()["datasets"]))
    for column in DRAWN[name]:
        assert {float(value) for value in rows[column].dropna()} <= drawn, column


LAYOUTS = {"wide": theme.WIDE, "narrow": theme.NARROW}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_layout_of_a_figure_draws_the_same_numbers(
    layout: str, published: duckdb.DuckDBPyConnection
) -> None:
    for name in ("gpu_generations", "modality"):
        rows = FIGURES[name].rows(published, SOURCE)
        drawn = set(_numbers(FIGURES[name].chart(rows, TASKS, LAYOUTS[layout]).to_dict()["datasets"]))
        for column in DRAWN[name]:
            assert {float(value) for value in rows[column].dropna()} <= drawn, (name, column)


def test_the_reader_chooses_among_all_that_was_measured(published: duckdb.DuckDBPyConnection) -> None:
    """Series, pairs and ceilings: those of the mart, and the published ones first."""
    queries = {
        "batch_size": "select count(*) from (select series_id from marts.batch_size_scaling where"
        " data_source = ? and batch_size >= 16 and architecture <> 'diffusion'"
        " and energy_per_output_joules is not null group by series_id having count(*) > 1)",
        "precision": "select count(distinct (base_model_id, task, gpu_model, num_gpus)) from"
        " marts.precision_comparison where data_source = ? and architecture <> 'diffusion'"
        " and parallelism_matches",
        "frontier": "select count(*) from (select frontier_id from marts.time_energy_frontier where"
        " data_source = ? and median_itl_ms is not null group by 1 having count(distinct gpu_model) > 1)",
        "gpu_counts": "select count(*) from (select frontier_id, gpu_model from marts.time_energy_frontier"
        " where data_source = ? and median_itl_ms is not null and batch_size >= 16 group by all"
        " having count(distinct num_gpus) > 1)",
        "response_energy": "select count(distinct gpu_model) from marts.min_energy_configurations"
        " where data_source = ? and task in ('gpqa', 'lm-arena-chat')",
        "modality": "select count(distinct gpu_model) from marts.modality_comparison"
        " where data_source = ? and scope = 'gpu-count'",
        "generated_media": "select count(distinct gpu_model) from marts.diffusion_parameters"
        " where data_source = ?",
        "model_size": "select count(*) from (select task, family, gpu_model from marts.model_size_scaling"
        " where data_source = ? and weight_precision = 'bfloat16' and parameter_use is not null"
        " and architecture = 'llm' group by all having count(distinct model_id) > 1)",
        "energy_over_batch_size": "select count(distinct (task, gpu_model)) from marts.leaderboard"
        " where data_source = ? and architecture <> 'diffusion' and is_current_revision"
        " and energy_per_output_joules is not null",
    }
    first = {
        "batch_size": [
            "DeepSeek R1, Problem Solving, 8x B200",
            "Qwen 3 Coder 30B A3B, Code Infilling, 1x B200",
        ],
        "precision": ["Qwen 3 235B A22B Instruct, Text Conversation, 8x H100"],
        "frontier": ["Qwen 3 235B A22B Thinking FP8, Problem Solving"],
        "gpu_counts": ["GPT OSS 120B, Problem Solving, B200", "GPT OSS 120B, Problem Solving, H100"],
        "response_energy": ["B200"],
        "modality": ["B200"],
        "generated_media": ["B200", "B200"],
        "model_size": ["Qwen 3, Problem Solving, B200"],
        "energy_over_batch_size": ["Text Conversation, B200"],
        "gpu_generations": [100.0, 30.0, 1000.0],
    }
    for name, wanted in first.items():
        rows = FIGURES[name].rows(published, SOURCE)
        specification = FIGURES[name].specification(rows, TASKS, theme.WIDE)
        signals = {signal["name"]: signal.get("value") for signal in specification["signals"]}
        controls = specification["usermeta"]["controls"]
        assert [signals[control["parameter"]] for control in controls] == wanted
        for control in controls if name in queries else ():
            [(series,)] = published.execute(queries[name], [SOURCE]).fetchall()
            assert len({value for value, _ in control["options"]}) == series
    assert [[value for value, _ in control["options"]] for control in controls] == [
        [50.0, 100.0, 250.0],
        [10.0, 30.0, 60.0],
        [100.0, 500.0, 1000.0],
    ]


def test_kv_cache_use_is_drawn_where_it_was_measured_and_else_said_to_be_absent(
    warehouse: Any, published: duckdb.DuckDBPyConnection
) -> None:
    figure = FIGURES["modality"]
    absent = figure.chart(figure.rows(published, SOURCE), TASKS).to_json()
    assert "KV-cache use is not" in absent
    rows = figure.rows(published, SOURCE)
    rows["mean_kv_cache_usage"] = [0.25 + place / 64 for place in range(len(rows))]
    drawn = figure.chart(rows, TASKS).to_json()
    assert "KV-cache use is not" not in drawn
    assert "mean_kv_cache_usage:Q" not in drawn
    assert '"field": "mean_kv_cache_usage"' in drawn


def test_the_script_has_the_rows_of_the_specifications(published: duckdb.DuckDBPyConnection) -> None:
    """Once, though two layouts draw them; to six significant digits, as in the explorer."""
    figure = FIGURES["precision"]
    rows = figure.rows(published, SOURCE)
    layouts = {key: figure.specification(rows, TASKS, layout) for key, layout in LAYOUTS.items()}
    text = figures_script({"precision": layouts})
    content = json.loads(text.removeprefix("const READING = ").removesuffix(";\n"))
    tables = [table["columns"] for table in content["tables"]]
    values = {float(f"{value:.6g}") for value in rows["bf16_energy_per_output_joules"]}
    assert values <= set(_numbers(tables))
    used = [
        entry["values"]
        for layout in content["figures"]["precision"].values()
        for entry in layout["data"]
        if "values" in entry
    ]
    assert len(set(used)) == len(tables)
    assert len(used) == 2 * len(tables)


def test_the_readme_s_picture_draws_rows_of_the_leaderboard(
    published: duckdb.DuckDBPyConnection,
) -> None:
    """Its figure, `frontier`: every number of the specification is the leaderboard's own."""
    assert PICTURED == "jouleboard-frontier.svg"
    every_row = FIGURES["frontier"].rows(published, SOURCE)
    rows = every_row[every_row["choice_number"] == 1]
    (model,) = rows[["nickname", "task"]].drop_duplicates().itertuples(index=False)
    stored = published.execute(
        "select gpu_model, num_gpus, batch_size, median_itl_ms, energy_per_output_joules"
        " from marts.leaderboard where data_source = ? and nickname = ? and task = ?"
        " order by all",
        [SOURCE, *model],
    ).fetchall()
    columns = ["gpu_model", "num_gpus", "batch_size", "median_itl_ms", "energy_per_output_joules"]
    assert sorted(rows[columns].itertuples(index=False, name=None)) == stored
    drawn = set(_numbers(FIGURES["frontier"].chart(every_row, TASKS).to_dict()["datasets"]))
    assert {number for row in stored for number in row[3:]} <= drawn


def test_nothing_is_said_of_what_was_not_measured(
    empty_warehouse: Any, marts: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    with empty_warehouse.connect() as connection:
        assert write_reading(tmp_path, connection, MANIFEST, catalog.load()) == []
    assert list(tmp_path.iterdir()) == []
    read_chapters = list(read(marts, "nobody", TASKS))
    assert [said.lines for chapter in read_chapters for said in chapter.sentences if said.lines] == []
    assert [figure.name for chapter in read_chapters for figure in chapter.figures if figure.svg] == []


def test_tasks_without_a_batch_size_in_common_are_told_at_their_largest(warehouse: Any) -> None:
    with warehouse.copy() as connection:
        connection.execute(
            "create temp table one as select * from marts.leaderboard where data_source = 'jouleboard'"
            " and task = 'lm-arena-chat' and is_current_revision and acceptance_is_prescribed is not true"
            " and energy_per_response_joules is not null limit 1"
        )
        connection.execute("delete from marts.leaderboard where data_source = 'jouleboard'")
        for task, batch_size, joules in (("gpqa", 32, 0.5), ("lm-arena-chat", 64, 0.25)):
            connection.execute(
                "insert into marts.leaderboard select * replace (? as task, ? as batch_size,"
                " ? as energy_per_output_joules) from one",
                [task, batch_size, joules],
            )
        chapter = next(read(connection, "jouleboard", TASKS))
    ((line,),) = [sentence.lines for sentence in chapter.sentences if sentence.name == "case_study"]
    assert "The largest batch size measured is 32 and 64." in line
    assert "At each task's largest a token takes 0.500 J and 0.250 J (2.0 times). A whole answer" in line


@pytest.mark.parametrize(
    ("modalities", "ending"),
    [
        (
            {"video": 2.5},
            "a token takes 2.5 to 2.5 times as much when the request carries a video (1 pairs).",
        ),
        (
            {"image": 1.5},
            "a token takes 1.5 to 1.5 times as much when the request carries an image (1 pairs).",
        ),
        (
            {"image": 1.5, "video": 2.5},
            "carries an image (1 pairs), and 2.5 to 2.5 times as much with a video (1 pairs).",
        ),
        ({"audio": 3.5}, None),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_a_modality_that_was_not_measured_is_not_said(
    modalities: dict[str, float], ending: str | None, warehouse: Any
) -> None:
    with warehouse.copy() as connection:
        connection.execute("delete from marts.modality_comparison where data_source = 'jouleboard'")
        for modality, ratio in modalities.items():
            connection.execute(
                "insert into marts.modality_comparison (data_source, scope, gpu_model, num_gpus, modality,"
                " energy_per_token_ratio, model_id, nickname, text_nickname, energy_per_token_joules,"
                " text_energy_per_token_joules, batch_size, text_batch_size) select 'jouleboard',"
                " 'gpu-count', gpu_model, 1, ?, ?, 'm', 'M VL', 'M', 0.5, 0.25, 8, 16 from (select"
                " gpu_model from marts.min_energy_configurations where data_source = 'jouleboard' group by 1"
                " order by count(distinct model_id) desc, count(*) desc, 1 limit 1)",
                [modality, ratio],
            )
        (chapter,) = [
            one
            for one in itertools.islice(read(connection, "jouleboard", TASKS), 2)
            if one.heading == "Images and videos in the request"
        ]
    lines = {sentence.name: sentence.lines for sentence in chapter.sentences}["modality"]
    if ending is None:
        assert lines == ()
        assert "Image Chat or Video Chat beside Text Conversation with the sibling model" in chapter.missing
    else:
        (line,) = lines
        assert line.endswith(ending)


def test_without_graded_answers_the_reading_says_what_to_do(warehouse: Any) -> None:
    with warehouse.copy() as connection:
        chapters = {chapter.heading: chapter for chapter in read(connection, "jouleboard", TASKS)}
    (missing,) = chapters["Right answers"].missing
    assert "graded answers to 100 questions or more" in missing


def test_pairs_of_precisions_are_counted_as_they_can_be_compared(warehouse: Any) -> None:
    """Our pairs from batch size 8 on; none without energy, of dummy weights, or with nothing known of it."""
    pairs = (
        (8, "real", -0.5, True),
        (16, "real", 0.25, False),
        (32, "real", None, True),
        (64, "dummy", -0.2, True),
    )
    with warehouse.copy() as connection:
        table = "marts.precision_comparison"
        ours = f"from {table} where data_source = 'jouleboard' limit 1"
        connection.execute(f"create temp table one as select * {ours}")
        connection.execute(f"delete from {table} where data_source = 'jouleboard'")
        for size, weights, change, matches in pairs:
            connection.execute(
                f"insert into {table} select * replace (? as batch_size, '8-16' as batch_size_bucket, ? as"
                " weights, ? as energy_change, ? as environment_matches, true as parallelism_matches,"
                " cast(null as double) as energy_change_low, ? < 0 as fp8_wins_energy, 0.1 as latency_change,"
                " false as fp8_wins_latency) from one",
                [size, weights, change, matches, change],
            )
        (chapter,) = [one for one in read(connection, "jouleboard", TASKS) if one.heading == "FP8 and BF16"]
    lines = {sentence.name: sentence.lines for sentence in chapter.sentences}
    assert lines["precision"] == (
        "Batch sizes 8-16: FP8 takes less energy in 1 of 2 pairs (-50 % to +25 %) and is faster in 0"
        " (+10 % to +10 %).",
    )
    (of_model,) = lines["precision_by_model"]
    assert of_model.endswith(
        "FP8 changes the energy per token by -50 % (batch size 8) to +25 % (16), over 2 batch sizes."
    )
    assert lines["precision_without_interval"] == ("2 of 2 pairs have no interval.",)
    assert [line[:10] for line in lines["precision_environments"]] == ["In 1 pair "]


def test_drafts_are_said_with_what_was_accepted_of_them(warehouse: Any) -> None:
    """At 1 and at 4 tokens per step, measured as 3.9, two draft models, one that never pays, and real models.

    Dummy weights and what has no energy are left out.
    """
    pairs = (
        (8, 1.0, None, "stand-in.1", "aa", 0.5, 1.5),
        (8, 4.0, 3.9, "stand-in.1", "aa", -0.5, 2.0),
        (16, 4.0, None, "stand-in.1", "aa", 0.25, 5.0),
        (64, 2.5, None, "stand-in.1", "aa", -0.25, 1.875),
        (64, 2.5, None, "stand-in.1", "bb", 0.2, 3.0),
        (64, 2.5, None, "dummy", "aa", -0.25, 2.0),
        (64, 2.5, None, "stand-in.1", "aa", None, None),
        (32, None, None, "real", "aa", -0.25, None),
        (48, None, 2.8, "real", "aa", -0.25, 2.1),
        (96, None, 3.0, "real", "aa", 0.5, 4.5),
    )
    with warehouse.copy() as connection:
        for number, (size, length, counted, weights, draft, change, even) in enumerate(pairs):
            connection.execute(
                "insert into marts.speculative_decoding (comparison_id, leaderboard_id, plain_leaderboard_id,"
                " data_source, task, model_id, nickname, gpu_model, num_gpus, tensor_parallel, runtime,"
                " plain_runtime_version, batch_size, speculative_method, speculative_tokens, draft_hash,"
                " prescribed_acceptance_length, tokens_per_step, weights, energy_change,"
                " break_even_acceptance_length, latency_change) values (?, 'd', 'p', 'jouleboard',"
                " 'lm-arena-chat', 'm', 'M', 'H200', 2, 2, 'vllm', '0.26.0+environment.3061185e', ?,"
                " 'draft_model', 3, ?, ?, ?, ?, ?, ?, 0.1)",
                [str(number), size, draft, length, counted, weights, change, even],
            )
        chapters = {chapter.heading: chapter for chapter in read(connection, "jouleboard", TASKS)}
    lines = {sentence.name: sentence.lines for sentence in chapters["Speculative decoding"].sentences}
    model = "M (stand-in.1 weights, version 0.26.0)"
    begin = f"{model} on Text Conversation, 2x H200 in tensor parallel 2, batch size"
    changes = "change the energy per token by"
    assert lines["speculation"] == (
        f"{begin} 8: drafts of 3 tokens (draft_model) {changes} +50 % at 1 token per step, -50 % at 3.9"
        " tokens per step. It is as with no drafts at 1.5 to 2 tokens per step.",
        f"{begin} 16: drafts of 3 tokens (draft_model) {changes} +25 % at 4 tokens per step."
        " Even with all 4 tokens accepted a token takes more than with no drafts.",
        f"{begin} 64: drafts of 3 tokens (draft_model aa) {changes} -25 % at 2.5 tokens per step."
        " It is as with no drafts at 1.9 tokens per step.",
        f"{begin} 64: drafts of 3 tokens (draft_model bb) {changes} +20 % at 2.5 tokens per step."
        " It is as with no drafts at 3 tokens per step.",
    )
    begin, latency = begin.replace("stand-in.1", "real"), "and the median inter-token latency by +10 %."
    assert lines["speculation_decided"] == (
        f"{begin} 32: drafts of 3 tokens (draft_model) {changes} -25 % {latency}",
        f"{begin} 48: drafts of 3 tokens (draft_model) {changes} -25 % {latency} A step gives 2.8 tokens."
        " At 2.1 tokens per step it is as with no drafts.",
        f"{begin} 96: drafts of 3 tokens (draft_model) {changes} +50 % {latency} A step gives 3 tokens."
        " Even with all 4 tokens accepted a token takes more than with no drafts.",
    )
    assert lines["speculation_without_interval"] == ("8 of 8 comparisons have no interval.",)


def test_hostile_text_stays_text(warehouse: Any, tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script><img src=x onerror=alert(2)>&\"'"
    with warehouse.copy() as connection:
        for table in (
            "leaderboard",
            "min_energy_configurations",
            "time_energy_frontier",
            "diffusion_parameters",
        ):
            connection.execute(f"update marts.{table} set nickname = ?", [hostile])
        (source, *_) = write_reading(tmp_path, connection, MANIFEST, catalog.load())
    text = (tmp_path / f"reading-{source}.html").read_text()
    assert "&lt;script&gt;" in text
    assert not re.search(r"<(script|img)", re.sub(r'<script src="[\w.-]+"></script>', "", text))
    scripts = [path.read_text() for path in tmp_path.glob("reading-*.js")]
    assert any(json.dumps(hostile).replace("<", "\\u003c") in script for script in scripts)
    assert not any("<" in script for script in scripts)  # inside Airflow they stand in the page


INTRODUCTIONS = {
    "The same model on both:",
    "Throughput per watt and energy per output say the same:",
    "An exception:",
    "Left out of these pairs:",
    "Memory can pay for it:",
    "Where fewer GPUs have memory enough:",
}
"""What a query's condition says; its row follows the colon."""
TYPED = "Latency, throughput and power rise."
CLAUSES = re.compile(r"(?<=[.:;])\s+|,?\s+(?:because|since|which|so that|as a result)\s+")
"""What divides a template into parts that say something of their own."""


def typed_parts(template: str) -> list[str]:
    """Parts of a sentence's template that no query has a part in."""
    marked = re.sub(r"\{[{%].*?[%}]\}", "\N{BULLET}", " ".join(template.split()))
    return [part for part in CLAUSES.split(marked) if part and "\N{BULLET}" not in part]


def test_no_sentence_claims_what_no_query_computed() -> None:
    entries = [entry for chapter in chapters() for entry in chapter["sentences"]]
    templates = {entry["query"]: entry.get("one") or entry["all"] for entry in entries}
    for query, template in templates.items():
        assert set(typed_parts(template)) <= INTRODUCTIONS, query
    assert typed_parts(f"{templates['batch_size']}. {TYPED}") == [TYPED]
    assert typed_parts("At {{ size }}, because preparing images makes it smaller.") == [
        "preparing images makes it smaller."
    ]


def test_a_definition_claims_nothing_of_the_measurements() -> None:
    compared = r"\b(more|less|fewer|higher|lower|faster|slower|larger|smaller|rises?|falls?|because|than)\b"
    for chapter in chapters():
        assert not re.search(compared, chapter.get("definition", "")), chapter["heading"]


def test_every_query_and_drawing_is_used() -> None:
    folder = Path(__file__).parents[2] / "expectations" / "board" / "reading"
    text = (folder / "chapters.yaml").read_text()
    assert {path.stem for path in (folder / "figures").glob("*.sql")} == set(FIGURES) == set(DRAWN)
    assert [name for name in FIGURES if f"figure: {name}\n" not in text] == []
    sentences = {path.stem for path in (folder / "sentences").glob("*.sql")}
    assert sentences == set(re.findall(r"query: (\w+)", text))


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, dict):
        for part in value.values():
            yield from _numbers(part)
    elif isinstance(value, list):
        for part in value:
            yield from _numbers(part)
    elif isinstance(value, (int, float)):
        yield float(value)


MOST_BYTES = 500_000
ERRORS = (
    "window.errors = []; addEventListener('error', (event) => errors.push(event.message));"
    "addEventListener('unhandledrejection', (event) => errors.push(String(event.reason)));"
    "addEventListener('securitypolicyviolation', (event) => errors.push(event.violatedDirective));"
    "for (const level of ['error', 'warn']) console[level] = (...words) => errors.push(words.join(' '));"
)


@pytest.fixture(scope="module")
def site(marts: duckdb.DuckDBPyConnection, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reading")
    write_reading(folder, marts, MANIFEST, catalog.load(), [("index.html", "Explorer")])
    write_libraries(folder)
    return folder


@pytest.fixture(scope="module")
def page(site: Path) -> Path:
    """The reading with most figures."""
    return max(site.glob("reading-*.html"), key=lambda path: path.stat().st_size)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if not CHROMIUM:
        pytest.skip("headless Chromium is not installed")
    with running_browser(tmp_path_factory.mktemp("profile")) as browser:
        browser.call("Page.addScriptToEvaluateOnNewDocument", source=ERRORS)
        yield browser


def test_every_figure_is_in_the_page_before_a_script_runs(page: Path) -> None:
    text = page.read_text()
    assert len(text) < MOST_BYTES
    before = text[: text.index("<script")]
    for figure in re.findall(r'<figure id="(\w+)">(.*?)</figure>', before, re.DOTALL):
        assert re.search(r"<svg .*<(path|text) ", figure[1], re.DOTALL), figure[0]
    assert set(re.findall(r'<figure id="(\w+)">', text)) == set(re.findall(r'<figure id="(\w+)">', before))
    assert "unsafe-eval" not in text


def test_every_figure_is_there_as_svg_png_and_csv(page: Path) -> None:
    text = page.read_text()
    source = page.stem.removeprefix("reading-")
    for name in re.findall(r'<figure id="(\w+)">', text):
        svg, png, rows = (page.parent / f"figures/{source}-{name}.{kind}" for kind in ("svg", "png", "csv"))
        assert all(f'href="figures/{path.name}" download' in text for path in (svg, png, rows))
        assert "var(" not in svg.read_text()
        box = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg.read_text())
        assert box is not None
        width, height = struct.unpack(">II", png.read_bytes()[16:24])
        assert width / height == pytest.approx(float(box[1]) / float(box[2]), rel=0.01)
        with rows.open(newline="") as file:
            assert len(list(csv.DictReader(file))) > 0


def drawn(browser: Browser, page: Path) -> None:
    """Open the page and let all its figures be drawn by the script."""
    browser.open("about:blank")
    browser.open(f"file://{page}")
    until(lambda: browser.evaluate("!!window.reading"), 30, "the script")
    browser.evaluate(
        "window.all = null; Promise.all(reading.map((one) => one.draw())).then(() => { all = 1; }); 0"
    )
    until(lambda: browser.evaluate("all"), 60, "all figures")


def test_a_reader_chooses_another_ceiling_and_sees_other_bars(browser: Browser, page: Path) -> None:
    drawn(browser, page)
    shown = "document.querySelector('#gpu_generations svg').textContent"
    before = browser.evaluate(shown)
    chosen = browser.evaluate(
        "(() => { const select = document.querySelector('#gpu_generations select');"
        " select.selectedIndex = select.selectedIndex ? 0 : select.options.length - 1;"
        " select.dispatchEvent(new Event('change')); return select.value; })()"
    )
    until(lambda: browser.evaluate(shown) != before, 30, "other bars")
    assert chosen in browser.evaluate(shown)
    assert json.loads(browser.evaluate("JSON.stringify(errors)")) == []


CHOOSE_THE_LAST = """(() => {
  const select = document.querySelector('#%s select');
  if (!select) return null;
  select.selectedIndex = select.selectedIndex ? 0 : select.options.length - 1;
  select.dispatchEvent(new Event('change'));
  return select.value;
})()"""


def test_every_figure_shows_what_the_reader_chooses(browser: Browser, page: Path) -> None:
    """Model, task or GPU model: the figure's text names it, and its axes fit its values."""
    drawn(browser, page)
    names = json.loads(browser.evaluate("JSON.stringify(reading.map((one) => one.name))"))
    for name in names:
        shown = f"document.querySelector('#{name} .drawing').innerHTML"
        before = browser.evaluate(shown)
        if browser.evaluate(CHOOSE_THE_LAST % name) is not None:
            until(lambda: browser.evaluate(shown) != before, 30, f"another choice in {name}")  # noqa: B023
            assert "NaN" not in browser.evaluate(shown), name
    assert json.loads(browser.evaluate("JSON.stringify(errors)")) == []


def test_a_ceiling_is_written_or_dragged_and_what_is_over_it_is_faint(browser: Browser, page: Path) -> None:
    drawn(browser, page)
    faint = (
        "[...document.querySelectorAll('#frontier .mark-symbol path')]"
        ".filter((point) => point.getAttribute('opacity') === '0.13').length"
    )
    assert browser.evaluate(faint) == 0
    domain = "reading.find(({ name }) => name === 'frontier').view.scale('x').domain()"
    low, high = json.loads(browser.evaluate(f"JSON.stringify({domain})"))
    middle = float(f"{(low * high) ** 0.5:.3g}")
    browser.evaluate(
        f"(() => {{ const box = document.querySelector('#frontier input'); box.value = {middle};"
        " box.dispatchEvent(new Event('input')); })()"
    )
    until(lambda: browser.evaluate(faint) > 0, 30, "faint points")
    assert f"\N{LESS-THAN OR EQUAL TO} {middle:g} ms" in browser.evaluate(
        "document.querySelector('#frontier svg').textContent"
    )
    written = browser.evaluate(faint)
    browser.evaluate("document.querySelector('#frontier').scrollIntoView({ block: 'center' })")
    grip = "document.querySelector('#frontier line[stroke-dasharray=\"6,4\"]').getBoundingClientRect()"
    x, y = json.loads(
        browser.evaluate(
            f"(() => {{ const {{ x, y, width, height }} = {grip};"
            " return JSON.stringify([x + width / 2, y + height / 2]); })()"
        )
    )
    for kind, to, buttons in (
        ("mouseMoved", x, 0),
        ("mousePressed", x, 1),
        ("mouseMoved", x - 60, 1),
        ("mouseReleased", x - 60, 1),
    ):
        button = "left" if buttons else "none"
        browser.call(
            "Input.dispatchMouseEvent", type=kind, x=to, y=y, button=button, buttons=buttons, clickCount=1
        )
    until(lambda: browser.evaluate(faint) > written, 30, "more faint points")
    assert low < float(browser.evaluate("document.querySelector('#frontier input').value")) < middle
    browser.evaluate(
        "(() => { const box = document.querySelector('#frontier input'); box.value = '';"
        " box.dispatchEvent(new Event('input')); })()"
    )
    until(lambda: browser.evaluate(faint) == 0, 30, "no ceiling")
    assert json.loads(browser.evaluate("JSON.stringify(errors)")) == []


def test_a_point_says_what_it_is(browser: Browser, page: Path) -> None:
    drawn(browser, page)
    browser.evaluate("document.querySelector('#batch_size').scrollIntoView({ block: 'center' })")
    place = browser.evaluate(
        "(() => { const points = document.querySelectorAll('#batch_size svg .mark-symbol path');"
        " const { x, y, width, height } = points[0].getBoundingClientRect();"
        " return [x + width / 2, y + height / 2]; })()"
    )
    browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=place[0], y=place[1])
    until(lambda: browser.evaluate("!document.querySelector('.tip').hidden"), 10, "the words of a point")
    assert "Batch size: " in browser.evaluate("document.querySelector('.tip').textContent")


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_axe_finds_no_barrier(browser: Browser, page: Path, colours: str) -> None:
    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": colours}])
    drawn(browser, page)
    axe = (files("axe_core_python") / "axe.min.js").read_text()
    run = f"{axe}; axe.run().then((all) => {{ window.found = all; }}); 0"
    browser.call("Runtime.evaluate", expression=run)
    until(lambda: browser.evaluate("!!window.found"), 60, "axe")
    said = "found.violations.map((rule) => [rule.id, rule.nodes.slice(0, 3).map((node) => node.html)])"
    assert json.loads(browser.evaluate(f"JSON.stringify({said})")) == []


def test_a_narrow_screen_has_figures_of_its_width(browser: Browser, page: Path) -> None:
    screen = {"width": 360, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    browser.call("Emulation.setDeviceMetricsOverride", **screen)
    drawn(browser, page)
    assert browser.evaluate("document.documentElement.scrollWidth <= innerWidth")
    widest = "Math.max(...[...document.querySelectorAll('figure svg')].map((one) => one.clientWidth))"
    assert browser.evaluate(widest) <= screen["width"]
    browser.call("Emulation.clearDeviceMetricsOverride")
