"""Series of a figure are told apart by what differs, and by no more."""

from __future__ import annotations

import pandas as pd

from expectations.board.reading.figures import theme

COLUMNS = ("series_id", "nickname", "task", "num_gpus", "gpu_model", "weights", "request_set_id")


def names(*rows: tuple[str, str, str, str]) -> list[str]:
    """Names of series: (series_id, nickname, weights, request_set_id) each."""
    given = [(key, name, "chat", 1, "H200", weights, asked) for key, name, weights, asked in rows]
    return theme.series_names(pd.DataFrame(given, columns=COLUMNS), {"chat": "Chat"})


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
