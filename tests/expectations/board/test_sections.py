"""What a model's page says first: the least energy on each GPU model."""

from __future__ import annotations

from typing import Any

import pytest

from expectations.board.models.sections import Section, drafts_of


def section(*rows: dict[str, Any]) -> Section:
    """Images of one source."""
    return Section("text-to-image", "Text to Image", "jouleboard", "Ours", "image", rows, (), ())


def row(gpu_model: str, height: int, order: int, joules: float, is_minimum: bool = True) -> dict[str, Any]:
    return {
        "gpu_model": gpu_model,
        "height": height,
        "generation_order": order,
        "energy_per_output_joules": joules,
        "is_minimum": is_minimum,
    }


def test_a_small_picture_is_not_the_least_of_a_model_whose_pictures_are_large() -> None:
    rows = (row("H200", 512, 1, 225.0), row("H200", 1024, 0, 1550.0), row("H100", 1024, 0, 1600.0))
    assert [(one["gpu_model"], one["height"]) for one in section(*rows).least] == [
        ("H200", 1024),
        ("H100", 1024),
    ]
    assert [one["height"] for one in section(rows[0]).least] == [512]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({}, []),
        ({"speculative_tokens": 1}, ["drafts of 1 token"]),
        (
            {"speculative_tokens": 3, "acceptance_length": 2.512},
            ["drafts of 3 tokens", "2.51 per step accepted"],
        ),
        (
            {
                "speculative_tokens": 3,
                "acceptance_is_prescribed": True,
                "prescribed_acceptance_length": 2.5,
                "acceptance_length": 2.47,
            },
            ["drafts of 3 tokens", "2.47 per step accepted as prescribed"],
        ),
        (
            {"speculative_tokens": 3, "acceptance_is_prescribed": True, "prescribed_acceptance_length": 2.5},
            ["drafts of 3 tokens", "2.5 per step accepted as prescribed"],
        ),
        ({"acceptance_is_prescribed": True}, ["accepted as prescribed"]),
    ],
)
def test_a_row_with_drafts_says_what_was_accepted(row: dict[str, Any], said: list[str]) -> None:
    """Publications of before 2026-12-01 have no `acceptance_length`."""
    assert drafts_of(row) == said
