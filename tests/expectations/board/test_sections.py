"""What a model's page says first: the least energy on each GPU model."""

from __future__ import annotations

from typing import Any

from expectations.board.models.sections import Section


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
