"""What a run's row says of speculative decoding, from options as people write them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmark_tasks.results.speculation import speculation_row
from benchmark_tasks.results.summary import runs_table
from benchmark_tasks.testing.samples import sample_run

ASKED: dict[str, Any] = {
    "method": "draft_model",
    "model": "/models/secret-draft",
    "num_speculative_tokens": 3,
    "rejection_sample_method": "synthetic",
    "synthetic_acceptance_length": 2.5,
}
SAID = {
    "speculative_method": "draft_model",
    "speculative_tokens": 3,
    "acceptance_is_prescribed": True,
    "prescribed_acceptance_length": 2.5,
    "other_server_options": 0,
}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, {}),
        ({"enforce_eager": True}, {}),
        ({"speculative_config": ASKED}, SAID),
        ({"speculative-config": json.dumps(ASKED), "seed": 1}, SAID | {"other_server_options": 1}),
        ({f"speculative-config.{name}": value for name, value in ASKED.items()}, SAID),
        (
            {"speculative_config": ASKED | {"rejection_sample_method": "standard"}},
            SAID | {"acceptance_is_prescribed": False, "prescribed_acceptance_length": None},
        ),
        (
            {
                "speculative_config": {
                    "method": "ngram",
                    "num_speculative_tokens": 2,
                    "rejection_sample_method": "synthetic",
                    "synthetic_acceptance_rates": [0.75, 0.5],
                }
            },
            SAID
            | {"speculative_method": "ngram", "speculative_tokens": 2, "prescribed_acceptance_length": 2.25},
        ),
    ],
)
def test_options_say_how_drafts_are_made(options: dict[str, Any], said: dict[str, Any]) -> None:
    row = speculation_row(options)
    assert bool(row.pop("draft_hash", None)) is bool(said)
    assert row == said


def test_a_draft_is_known_by_what_says_how_it_is_made() -> None:
    def draft(**changes: Any) -> str:
        return str(speculation_row({"speculative_config": ASKED | changes})["draft_hash"])

    assert draft() == draft(num_speculative_tokens=5, synthetic_acceptance_length=4.0)
    assert draft() == draft(rejection_sample_method="standard")
    assert len({draft(), draft(model="/models/other"), draft(method="eagle3")}) == 3


@pytest.mark.parametrize(
    ("name", "value", "column"),
    [
        ("method", "<script>", "speculative_method"),
        ("method", ["draft_model"], "speculative_method"),
        ("num_speculative_tokens", "3", "speculative_tokens"),
        ("num_speculative_tokens", True, "speculative_tokens"),
        ("num_speculative_tokens", 2.7, "speculative_tokens"),
        ("num_speculative_tokens", -1, "speculative_tokens"),
        ("num_speculative_tokens", 10**400, "speculative_tokens"),
        ("synthetic_acceptance_length", float("nan"), "prescribed_acceptance_length"),
        ("synthetic_acceptance_length", {"a": 1}, "prescribed_acceptance_length"),
        ("synthetic_acceptance_length", True, "prescribed_acceptance_length"),
        ("synthetic_acceptance_length", 4.5, "prescribed_acceptance_length"),
        ("synthetic_acceptance_length", 0.5, "prescribed_acceptance_length"),
        ("synthetic_acceptance_rates", ["0.5", 0.5, 0.5], "prescribed_acceptance_length"),
        ("synthetic_acceptance_rates", [10**400, 0.5, 0.5], "prescribed_acceptance_length"),
        ("synthetic_acceptance_rates", [0.9, 0.5, -0.2], "prescribed_acceptance_length"),
        ("synthetic_acceptance_rates", [0.9, 0.8, 0.7, 0.6], "prescribed_acceptance_length"),
        ("synthetic_acceptance_rates", [], "prescribed_acceptance_length"),
        ("synthetic_acceptance_rates_by_length", [[1, 2, 0.5]], "prescribed_acceptance_length"),
    ],
)
def test_what_no_runtime_takes_is_not_said(name: str, value: Any, column: str) -> None:
    asked = {key: given for key, given in ASKED.items() if key != "synthetic_acceptance_length"} | {
        name: value
    }
    row = speculation_row({"speculative_config": asked})
    assert row[column] is None and row["acceptance_is_prescribed"] is True


@pytest.mark.parametrize("odd", ["no JSON {", "[1]", "[" * 100_000, [1], 3, None])
def test_an_option_that_is_no_mapping_says_nothing(odd: Any) -> None:
    assert speculation_row({"speculative_config": odd}) == {}


def test_the_row_of_a_run_has_it_without_the_folder_of_the_draft() -> None:
    run = sample_run()
    options = run.provenance.model_copy(update={"server_options": {"speculative_config": ASKED}})
    drafted = run.model_copy(update={"provenance": options})
    [row] = runs_table([(drafted, Path("/raw/x"))]).to_pylist()
    assert SAID.items() <= row.items()
    assert "secret-draft" not in json.dumps(row, default=str)
