"""Texts of answers: kept only where they are asked for, complete ones only, within limits of size."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from benchmark_tasks.catalog import DataSetEntry
from benchmark_tasks.client import kept_answers
from benchmark_tasks.client.answer import Answer
from benchmark_tasks.client.connection import CANCELLED, Trace
from benchmark_tasks.client.event_stream import ServerSentEvent
from benchmark_tasks.client.kept_answers import kept_texts, whole_answers
from benchmark_tasks.language.session import KEPT_ANSWERS, kept_answers_of
from benchmark_tasks.testing.quick import quick_sweep
from benchmark_tasks.vocabulary import Task


def said(*choices: Mapping[str, object], keep_text: bool = True) -> list[str] | None:
    answer = Answer(keep_text=keep_text)
    for choice in choices:
        answer.take(ServerSentEvent(b"", json.dumps({"choices": [{"index": 0, **choice}]}).encode()), 1)
    assert answer.error is None
    return answer.texts


def test_text_is_kept_only_where_it_is_asked_for() -> None:
    completion = ({"text": "The "}, {"text": "answer"}, {"text": "", "finish_reason": "stop"})
    assert said(*completion) == ["The ", "answer"]
    assert said(*completion, keep_text=False) is None


def test_what_a_chat_generates_is_text_whatever_it_is_called() -> None:
    assert said(
        {"delta": {"role": "assistant", "content": ""}},
        {"delta": {"reasoning": "Hm. ", "reasoning_content": "Hm. "}},
        {"delta": {"content": "Yes"}},
        {"delta": {"tool_calls": [{"index": 0}]}, "finish_reason": "tool_calls"},
    ) == ["Hm. ", "Yes", '[{"index":0}]']


def trace(index: int, text: str | None, error: str | None = None) -> Trace:
    return Trace(index, 0, 9, output_tokens=3, finish_reason="stop", error=error, text=text)


def test_complete_answers_are_given_back_in_the_order_of_their_requests() -> None:
    answers = whole_answers(
        [trace(2, "b"), trace(1, "a"), trace(3, "c", CANCELLED), trace(4, None), trace(5, "e", "HTTP 500")]
    )
    assert [(answer.request_index, answer.text) for answer in answers] == [(1, "a"), (2, "b")]
    assert answers[0].finish_reason == "stop" and answers[0].output_tokens == 3


def test_sizes_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_answers, "LONGEST_TEXT", 4)
    monkeypatch.setattr(kept_answers, "MOST_CHARACTERS", 10)
    answers = whole_answers([trace(i, "123456") for i in range(5)])
    assert list(kept_texts(answers)) == [(0, "1234"), (1, "1234")]


def test_what_may_be_private_or_says_nothing_is_kept_only_by_choice() -> None:
    own = {"request_set": "prompts.q", "data_set": DataSetEntry(file="/q.csv", source="mine")}
    assert kept_answers_of(quick_sweep(), None) == kept_answers_of(quick_sweep(**own), 100) == 0
    assert kept_answers_of(quick_sweep(request_set="lm-arena"), 100) == KEPT_ANSWERS
    assert kept_answers_of(quick_sweep(**own, kept_answers=7), 100) == 7
    assert kept_answers_of(quick_sweep(**own, kept_answers=7), 5) == 5, "later rounds change the prompts"
    assert kept_answers_of(quick_sweep(request_set="lm-arena", kept_answers=0), 100) == 0
    with pytest.raises(ValueError, match="less than or equal to 10000"):
        quick_sweep(kept_answers=10_001)
    with pytest.raises(ValueError, match="has no answers that can be kept"):
        quick_sweep(
            task=Task.TEXT_TO_IMAGE, runtime="diffusers", kept_answers=1, inference_steps=1, height=8, width=8
        )
    with pytest.raises(ValueError, match="those of a file or data set cannot be used"):
        quick_sweep(task=Task.TEXT_TO_IMAGE, runtime="diffusers", **own, inference_steps=1, height=8, width=8)
