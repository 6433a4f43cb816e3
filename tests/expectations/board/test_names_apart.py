"""Series of a figure are told apart by what differs, and by no more."""

from __future__ import annotations

from typing import Any

import pandas as pd

from expectations.board.reading.figures import theme

COMMON: dict[str, Any] = {
    "task": "chat",
    "num_gpus": 1,
    "gpu_model": "H200",
    "runtime_version": "0.26.0",
    "length_control": "fixed",
    "power_limit_watts": 700.0,
}


def names(*rows: tuple[str, str, str, str], **further: list[Any]) -> list[str]:
    """Names of series: (series_id, nickname, weights, request_set_id) each, and further columns."""
    frame = pd.DataFrame(rows, columns=["series_id", "nickname", "weights", "request_set_id"])
    columns: dict[str, Any] = {**COMMON, **further}
    return theme.series_names(frame.assign(**columns), {"chat": "Chat"})


def test_one_of_a_kind_needs_no_more_than_model_task_and_gpus() -> None:
    assert names(("a", "M", "dummy", "q"), ("a", "M", "dummy", "q"), ("b", "N", "real", "r")) == [
        "M, Chat, 1x H200",
        "M, Chat, 1x H200",
        "N, Chat, 1x H200",
    ]


def test_only_what_differs_is_added() -> None:
    assert names(("a", "M", "dummy", "q"), ("b", "M", "real", "q")) == [
        "M, Chat, 1x H200, dummy weights",
        "M, Chat, 1x H200, real weights",
    ]
    assert names(("a", "M", "real", "q"), ("b", "M", "real", "r")) == [
        "M, Chat, 1x H200, q",
        "M, Chat, 1x H200, r",
    ]
    assert names(("abcde", "M", "real", "q"), ("fghij", "M", "real", "q"), ("k", "M", "dummy", "q")) == [
        "M, Chat, 1x H200, real weights, abcd",
        "M, Chat, 1x H200, real weights, fghi",
        "M, Chat, 1x H200, dummy weights",
    ]


def test_a_version_and_a_cap_come_before_a_hash() -> None:
    rows = (("abcde", "M", "real", "q"), ("fghij", "M", "real", "q"))
    assert names(*rows, runtime_version=["0.25.1", "0.26.0"], power_limit_watts=[500.0, 700.0]) == [
        "M, Chat, 1x H200, version 0.25.1",
        "M, Chat, 1x H200, version 0.26.0",
    ]
    assert names(*rows, power_limit_watts=[500.0, None]) == [
        "M, Chat, 1x H200, cap 500 W",
        "M, Chat, 1x H200, cap not known",
    ]
