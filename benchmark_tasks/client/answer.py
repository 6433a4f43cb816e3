"""What a streamed completion or chat completion says, event by event, and whether it is complete.

Every event is decoded: its text, its running count of tokens, why the answer ended, an error in any of the
shapes that servers send. Nothing is searched for in the bytes, so no serializer's blanks or order of keys
matter.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from benchmark_tasks.client.event_stream import ServerSentEvent
from benchmark_tasks.client.tokens import CHOICE, FINISH, TEXT, Piece
from benchmark_tasks.errors import one_line

COMPLETE_REASONS = frozenset({"stop", "length", "tool_calls", "function_call"})
"""Values of `finish_reason` of a complete answer (OpenAI's API reference).

Others, such as `error`, `abort` and `content_filter`, say that it was cut off."""

MOST_TOKENS = 2**31 - 1
"""Of one answer: what `requests.parquet` can hold. No model writes a thousandth of it."""

_TEXT_KEYS = (
    "content",
    "reasoning_content",
    "reasoning",
    "thinking",
    "refusal",
    "tool_calls",
    "function_call",
    "audio",
)
_ERROR_KEYS = ("error", "errors", "detail", "message", "msg", "exception", "code", "status")
_SHOWN = 300


class Answer:
    """One answer as far as it has come.

    pieces: what arrived and when (`client.tokens`). tokens: how many have arrived, as far as one can say
    before the end; `client.tokens.count` says it at the end.
    prompt_tokens: as the server counts them; 0 where it does not say.
    done: the stream's own end, `[DONE]`, has come.
    texts: what was generated, piece by piece; `None` where nobody keeps it.
    """

    __slots__ = ("done", "error", "finish_reason", "pieces", "prompt_tokens", "texts", "tokens", "usage")

    def __init__(self, *, keep_text: bool = False) -> None:
        self.texts: list[str] | None = [] if keep_text else None
        self.pieces: list[Piece] = []
        self.tokens = 0
        self.usage: Mapping[str, Any] | None = None
        self.prompt_tokens = 0
        self.finish_reason: str | None = None
        self.error: str | None = None
        self.done = False

    @property
    def complete(self) -> bool:
        """Whether the protocol's end has come: a reason why the answer ended, or the end of the stream."""
        return self.done or self.finish_reason is not None

    def take(self, event: ServerSentEvent, at_ns: int) -> bool:
        """Read an event that arrived at `at_ns`; True if it brought something of the answer."""
        kind, data = event
        try:
            message = orjson.loads(data)
        except orjson.JSONDecodeError:
            self._take_other(kind, data)
            return False
        if kind or not isinstance(message, dict) or "error" in message or not message.get("choices"):
            if problem := _problem_of(kind, message):
                self.fail(problem)
            if not isinstance(message, dict):
                return False
        return self._take_message(message, at_ns)

    def fail(self, error: str) -> None:
        """The answer has failed; the first reason counts."""
        self.error = self.error or error

    def close(self, other_text: bytes) -> str | None:
        """Why the answer is not complete now that nothing follows; `None` if it is.

        other_text: what came that is no event (`EventStream.other_text`).
        """
        if self.usage is not None:
            prompt = self.usage.get("prompt_tokens")
            self.prompt_tokens = prompt if isinstance(prompt, int) and prompt > 0 else 0
        if other_text:
            self.fail(_not_a_stream(other_text))
        if not self.complete:
            self.fail("the stream ended before the answer did: no finish_reason and no [DONE] came")
        return self.error

    def _take_message(self, message: dict[str, Any], at_ns: int) -> bool:
        """Text, count and finish reason of a decoded event."""
        try:
            total = message["usage"]["completion_tokens"]
            self.usage = message["usage"]
        except (KeyError, TypeError):
            total = None
        if total.__class__ is not int or not 0 < total <= MOST_TOKENS:
            total = self._odd_total(total)
        choices = message.get("choices")
        carries = self._read_choices(choices) if choices else 0
        if total is None and not carries & (TEXT | FINISH):
            return False
        if self.done and carries & TEXT:
            self.fail("more text came after [DONE]")
        self.pieces.append((at_ns, total, carries))
        if total is None:
            self.tokens += carries & TEXT
            return bool(carries & TEXT)
        grown = total > self.tokens
        if grown:
            self.tokens = total
        return grown or bool(carries & TEXT)

    def _odd_total(self, total: object) -> int | None:
        """A count that is no positive whole number: 0 and null say nothing, anything else is an error."""
        if total is None or (total == 0 and not isinstance(total, bool)):
            return None
        if isinstance(total, float) and total.is_integer() and 0 < total <= MOST_TOKENS:
            return int(total)
        self.fail(f"usage.completion_tokens is not a count: {str(total)[:_SHOWN]!r}")
        return None

    def _read_choices(self, choices: Any) -> int:
        """What the choices of an event carry."""
        try:
            (choice,) = choices
            reason = choice.get("finish_reason")
            delta = choice.get("delta")
            text = choice.get("text") or (delta and _has_text(delta))
            other = choice.get("index") or choice.get("error")
        except (AttributeError, TypeError, ValueError):
            self.fail(f"one answer was asked for, and an event has: {one_line(choices)[:_SHOWN]}")
            return 0
        if other:
            self._take_odd_choice(choice)
        carries = CHOICE | TEXT if text else CHOICE
        if text and self.texts is not None:
            self.texts.append(_text_of(choice))
        if reason is not None:
            self._take_reason(str(reason))
            carries |= FINISH
        elif text and self.finish_reason is not None and not self.done:
            self.fail("more text came after the answer had ended")
        return carries

    def _take_reason(self, reason: str) -> None:
        """One bad reason among several makes an answer incomplete, whatever comes after it."""
        if reason not in COMPLETE_REASONS:
            self.fail(f"the answer ended early: finish_reason {reason!r}")
        self.finish_reason = self.finish_reason or reason

    def _take_odd_choice(self, choice: Mapping[str, Any]) -> None:
        if choice.get("error"):
            self.fail(f"error in the stream: {_shown(choice['error'])}")
        else:
            self.fail(f"one answer was asked for, and another came: index {choice['index']}")

    def _take_other(self, kind: bytes, data: bytes) -> None:
        """An event whose data is no JSON: the end of the stream, an error, or nothing of the protocol's."""
        if data.strip() == b"[DONE]":
            self.done = True
        elif b"error" in kind.lower():
            self.fail(f"error in the stream: {_shown(data.decode(errors='replace'))}")
        elif data and kind in (b"", b"message", b"completion"):
            self.fail(f"unreadable event: {_shown(data.decode(errors='replace'))}")


def _text_of(choice: Mapping[str, Any]) -> str:
    """The generated text of an event, reasoning included; calls of tools and other objects as JSON."""
    delta = choice.get("delta") or {"content": choice.get("text")}
    parts = [delta[key] for key in reversed(_TEXT_KEYS) if delta.get(key)]
    texts = [part if isinstance(part, str) else orjson.dumps(part).decode() for part in parts]
    return "".join(dict.fromkeys(texts))  # some servers say reasoning under two names


def _has_text(delta: Mapping[str, Any]) -> bool:
    """Whether a chat's delta has generated text: an answer, reasoning, a call of a tool."""
    if delta.get("content"):
        return True
    return any(delta.get(key) for key in _TEXT_KEYS)


def _problem_of(kind: bytes, message: Any) -> str | None:
    """The error that an event is, in any of the shapes that servers send; `None` if it is none."""
    if not isinstance(message, dict):
        return f"unreadable event: {_shown(message)}"
    named = b"error" in kind.lower() or message.get("object") == "error" or message.get("type") == "error"
    if message.get("error"):
        return f"error in the stream: {_shown(message['error'])}"
    without_answer = "choices" not in message and "usage" not in message
    if named or (without_answer and any(message.get(key) for key in _ERROR_KEYS)):
        return f"error in the stream: {_shown(message)}"
    return None


def _not_a_stream(other_text: bytes) -> str:
    try:
        message = orjson.loads(other_text)
    except orjson.JSONDecodeError:
        message = None
    if isinstance(message, dict) and (problem := _problem_of(b"", message)):
        return problem
    return f"the server's answer is not an event stream: {_shown(other_text.decode(errors='replace'))}"


def _shown(value: object) -> str:
    return one_line(value)[:_SHOWN]
