"""What a release did, in words: the text of the notification, of the feed and of the page."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from expectations.history import release_news
from expectations.history.release_news import SHOWN, news_of, sentence

ROW: dict[str, Any] = {
    "runtime": "vllm",
    "runtime_version": "0.27.0",
    "output_unit": "token",
    "model_id": "Qwen/Qwen3-8B",
    "weights": "real",
    "task": "lm-arena-chat",
    "gpu_model": "H100",
    "num_gpus": 1,
    "batch_size": 64,
    "previous_on_same_gpus": True,
    "energy_change": -0.033,
    "energy_change_low": -0.036,
    "energy_change_high": -0.03,
    "energy_verdict": "better",
    "confirmation": "confirmed",
}
WORDS = "vLLM 0.27.0: energy per token -3.3 % (-3.6 to -3.0) at batch 64, Qwen3-8B, H100, confirmed"


def test_a_change_is_told_in_one_line() -> None:
    assert sentence(ROW) == WORDS


@pytest.mark.parametrize(
    ("changed", "end"),
    [
        ({"confirmation": "not rerun"}, "at batch 64, Qwen3-8B, H100, not rerun"),
        ({"confirmation": "not confirmed"}, "at batch 64, Qwen3-8B, H100, not confirmed"),
        (
            {
                "confirmation": "contested",
                "contested_by": "ada",
                "contest_note": "hot",
                "rerun_result": "confirmed",
            },
            "H100, contested by ada (reruns: confirmed): hot",
        ),
        ({"energy_verdict": "no clear change"}, "H100, no clear change"),
        ({"num_gpus": 2, "weights": "stand-in.1"}, "Qwen3-8B (stand-in.1 weights), 2x H100, confirmed"),
        ({"previous_on_same_gpus": False, "confirmation": "not rerun"}, "H100, on different GPUs, not rerun"),
    ],
)
def test_a_line_says_no_more_than_is_known(changed: dict[str, Any], end: str) -> None:
    assert sentence({**ROW, **changed}).endswith(end)


def test_a_change_without_an_interval_has_none() -> None:
    line = sentence(
        {**ROW, "energy_change_low": None, "energy_change_high": None, "energy_verdict": "too few repeats"}
    )
    assert line == "vLLM 0.27.0: energy per token -3.3 % at batch 64, Qwen3-8B, H100, too few repeats"


def test_a_release_is_summed_up_and_only_what_was_compared_is_named() -> None:
    first = {**ROW, "energy_change": None, "energy_verdict": "first release", "confirmation": "not rerun"}
    worse = {
        **ROW,
        "energy_verdict": "worse",
        "energy_change": 0.02,
        "task": "gpqa",
        "confirmation": "not confirmed",
    }
    news = news_of([ROW, worse, first])
    assert news.title == (
        "vLLM 0.27.0: 3 configurations measured, 2 compared with an earlier release:"
        " energy lower in 1, higher in 1; 1 confirmed"
    )
    assert [line.count("lm-arena-chat") for line in news.lines] == [1, 0]
    alone = news_of([first])
    assert alone.title == "vLLM 0.27.0: 1 configuration measured, none compared with an earlier release"
    assert alone.lines == ()


def test_a_long_text_says_how_much_is_left_out() -> None:
    text = news_of([ROW] * (SHOWN + 3)).text
    assert text.splitlines()[-1] == "and 3 more"
    assert len(text.splitlines()) == SHOWN + 2


def test_the_news_come_from_the_marts() -> None:
    with duckdb.connect() as connection:
        connection.execute("create schema marts")
        columns = {**ROW, "data_source": "jouleboard", "nickname": "Qwen 3 8B", "leaderboard_id": "a"}
        values = ", ".join(f"? as {name}" for name in columns)
        connection.execute(f"create table marts.release_history as select {values}", list(columns.values()))
        news = release_news(connection, "vllm", "0.27.0")
        assert news is not None
        assert news.lines == (WORDS,)
        assert release_news(connection, "vllm", "0.28.0'--") is None
