"""How the mock server writes an answer: as vLLM does, as other servers do, or with a fault."""

from __future__ import annotations

import functools
import json
from enum import StrEnum
from typing import Any

import orjson

LAST_CHUNK = b"0\r\n\r\n"
_DONE = b"data: [DONE]\n\n"


class Stream(StrEnum):
    """Ways to write an answer. Those from `USAGE_ONE_TOO_MANY` on are faults."""

    USUAL = "usual"
    SPACED = "spaced"
    CRLF = "crlf"
    NO_DONE = "no-done"
    USAGE_AT_END = "usage-at-end"
    USAGE_DIFFERENCE = "usage-difference"
    NO_USAGE = "no-usage"
    USAGE_ONE_TOO_MANY = "usage-one-too-many"
    NO_END = "no-end"
    ABORTED = "aborted"
    ERROR_EVENT = "error-event"
    ERROR_OBJECT = "error-object"


_ERRORS = {
    Stream.ERROR_EVENT: b'event: error\ndata: {"reason":"mock error"}\n\n',
    Stream.ERROR_OBJECT: b'data: {"object":"error","message":"mock error","code":500}\n\n',
}
_WITHOUT_RUNNING_USAGE = {Stream.USAGE_AT_END, Stream.NO_USAGE}


@functools.lru_cache(maxsize=4096)
def chunks_of(
    length: int,
    per_chunk: int,
    prompt_tokens: int,
    chat: bool,
    stream: Stream = Stream.USUAL,
    words: tuple[str, ...] = (),
) -> tuple[bytes, ...]:
    """One HTTP chunk for every `per_chunk` tokens, the end of the response with the last one.

    words: what the answer says, one word per token; it ends by itself with the last of them.
    """
    ends = [min(done, length) for done in range(per_chunk, length + per_chunk, per_chunk)]
    events = []
    for before, total in zip([0, *ends], ends, strict=False):
        text = "".join(f" {word}" for word in words[before:total]) if words else " token"
        reason = "stop" if words and length == len(words) else _finish_reason(stream)
        message = _message(reason if total == length else None, text, chat=chat)
        if stream not in _WITHOUT_RUNNING_USAGE:
            message["usage"] = _usage(prompt_tokens, _told(stream, before, total))
        events.append(_event(message, stream))
    last = events.pop() + _ending(stream, prompt_tokens, length)
    return (*map(chunk, events), chunk(last) + LAST_CHUNK)


def chunk(body: bytes) -> bytes:
    """An HTTP chunk."""
    return b"%x\r\n" % len(body) + body + b"\r\n"


def _finish_reason(stream: Stream) -> str | None:
    match stream:
        case Stream.NO_END | Stream.ERROR_EVENT | Stream.ERROR_OBJECT:
            return None
        case Stream.ABORTED:
            return "abort"
        case _:
            return "length"


def _told(stream: Stream, before: int, total: int) -> int:
    """The count that an event has, after `total` tokens of which `before` came earlier."""
    if stream is Stream.USAGE_DIFFERENCE:
        return total - before
    return total + (stream is Stream.USAGE_ONE_TOO_MANY)


def _ending(stream: Stream, prompt_tokens: int, length: int) -> bytes:
    """What follows the last text."""
    if stream in _ERRORS:
        return _ERRORS[stream]
    usage = stream in (Stream.USAGE_AT_END, Stream.USAGE_DIFFERENCE)
    final = {"choices": [], "usage": _usage(prompt_tokens, length)}
    done = b"" if stream in (Stream.NO_DONE, Stream.NO_END) else _line_ends(_DONE, stream)
    return (_event(final, stream) if usage else b"") + done


def _message(reason: str | None, text: str, *, chat: bool) -> dict[str, Any]:
    content: dict[str, Any] = {"delta": {"content": text}} if chat else {"text": text, "logprobs": None}
    head: dict[str, Any] = {"id": "cmpl-mock", "object": "text_completion", "model": "measured"}
    return {**head, "choices": [{"index": 0, **content, "finish_reason": reason}]}


def _usage(prompt_tokens: int, tokens: int) -> dict[str, int]:
    return {
        "prompt_tokens": prompt_tokens,
        "total_tokens": prompt_tokens + tokens,
        "completion_tokens": tokens,
    }


def _event(message: dict[str, Any], stream: Stream) -> bytes:
    data = json.dumps(message).encode() if stream is Stream.SPACED else orjson.dumps(message)
    return _line_ends(b"data: " + data + b"\n\n", stream)


def _line_ends(event: bytes, stream: Stream) -> bytes:
    return event.replace(b"\n", b"\r\n") if stream is Stream.CRLF else event
