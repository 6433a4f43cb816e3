"""One keep-alive HTTP connection that streams completions and stamps tokens as they arrive.

The hot path runs once a chunk: take the time, find the server's own cumulative token count in
the bytes, append two integers. Nothing is decoded as JSON there: counting tokens does not need
it, and decoding is most of what other load generators spend (see docs/methodology.md). Searches are
`rfind`, which in CPython takes half the time of `in`.
"""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass, field

import httptools
import orjson

from benchmark_tasks.errors import one_line

_COUNT = re.compile(rb'"completion_tokens": ?(\d+)')
_PROMPT = re.compile(rb'"prompt_tokens": ?(\d+)')
_COUNT_KEY = b'"completion_tokens":'
_FINISH_KEY = b'"finish_reason":"'
_ERROR_KEY = b'"error":'
_EVENT_END = b"\n\n"
_NOT_DATA = (b":", b"event:", b"id:", b"retry:")
_MAX_ERROR_BYTES = 2000


CANCELLED = "cancelled: the load had ended"
"""`Trace.error` of a request that was in flight when the load stopped; not a failure."""


@dataclass(slots=True)
class Trace:
    """What happened to one request. Times are `time.perf_counter_ns` (CLOCK_MONOTONIC).

    under_way: it stands for the rest of an answer (`workloads.stationary`), not for a request of the set.
    """

    index: int
    slot: int
    max_tokens: int
    under_way: bool = False
    sent_ns: int = 0
    finished_ns: int = 0
    arrival_ns: list[int] = field(default_factory=list)
    arrival_tokens: list[int] = field(default_factory=list)
    output_tokens: int = 0
    prompt_tokens: int = 0
    finish_reason: str | None = None
    error: str | None = None

    @property
    def progress_ns(self) -> int:
        """When it was sent or last got a token. Headers and comments that keep a stream alive are none."""
        return self.arrival_ns[-1] if self.arrival_ns else self.sent_ns


class StreamingConnection(asyncio.Protocol):
    """Sends one request at a time; `send` returns when its stream has ended or failed."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._trace: Trace | None = None
        self._done: asyncio.Future[None] | None = None
        self._now = 0
        self._partial = b""
        self._last_event = b""
        self._failed_body = b""

    # --- used by the load generator -------------------------------------------------

    @property
    def usable(self) -> bool:
        """Whether another request can be sent on this connection."""
        return self._transport is not None and not self._transport.is_closing()

    async def send(self, path: str, body: bytes, trace: Trace) -> None:
        """Send a request and fill `trace`; never raises for what the server does wrong."""
        assert self._transport is not None
        self._trace = trace
        self._partial = self._last_event = self._failed_body = b""
        self._parser = httptools.HttpResponseParser(self)
        self._done = asyncio.get_running_loop().create_future()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {self._host}\r\nContent-Type: application/json\r\n"
            f"Accept: text/event-stream\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        trace.sent_ns = time.perf_counter_ns()
        self._transport.write(head.encode() + body)
        await self._done

    def abort(self, reason: str) -> None:
        """End the request in flight with an error and close the connection."""
        self._now = time.perf_counter_ns()
        self._finish(reason)
        self.close()

    def close(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.abort()
            self._transport = None

    # --- asyncio.Protocol -----------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """Stamp the arrival, then parse."""
        self._now = time.perf_counter_ns()
        if self._parser is None:
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self.abort(f"malformed HTTP response: {error}")

    def connection_lost(self, exc: Exception | None) -> None:
        """The server hung up."""
        self._transport = None
        self._now = time.perf_counter_ns()
        self._finish(f"connection closed by the server{f': {exc}' if exc else ''}")

    # --- httptools ------------------------------------------------------------------

    def on_body(self, body: bytes) -> None:
        """Count the tokens of one or more server-sent events."""
        trace = self._trace
        if trace is None:
            return
        if self._parser.get_status_code() != 200:  # type: ignore[union-attr]
            self._failed_body = (self._failed_body + body)[:_MAX_ERROR_BYTES]
            return
        if self._partial or not body.endswith(_EVENT_END):
            body = self._whole_events(body)
            if not body:
                return
        at = body.rfind(_COUNT_KEY)
        if at < 0 or body.rfind(_ERROR_KEY) >= 0 or (count := _COUNT.match(body, at)) is None:
            self._read_events(trace, body)
            return
        total = int(count[1])
        if total > trace.output_tokens:
            trace.arrival_ns.append(self._now)
            trace.arrival_tokens.append(total - trace.output_tokens)
            trace.output_tokens = total
            self._last_event = body
        if body.rfind(_FINISH_KEY) >= 0:
            trace.finish_reason = _finish_reason(body)

    def on_message_complete(self) -> None:
        """The stream has ended."""
        parser, trace = self._parser, self._trace
        if parser is None or trace is None:
            return
        status = parser.get_status_code()
        reusable = parser.should_keep_alive()
        self._parser = None
        if self._partial:
            self._read_events(trace, self._partial)
        prompt = _PROMPT.search(self._last_event)
        trace.prompt_tokens = int(prompt[1]) if prompt else 0
        if status != 200:
            text = one_line(self._failed_body.decode(errors="replace"))
            self._finish(f"HTTP {status}: {text}")
        elif trace.error is None and trace.output_tokens == 0:
            self._finish("the stream ended without a token")
        else:
            self._finish(trace.error)
        if not reusable:
            self.close()

    # --- helpers --------------------------------------------------------------------

    def _whole_events(self, body: bytes) -> bytes:
        """The events that are complete by now, their line ends LF; what follows them waits for its end.

        Event streams may end lines with CRLF. JSON escapes a CR, so none here is part of the content;
        the last one may still lack its LF.
        """
        body = (self._partial + body).replace(b"\r\n", b"\n")
        end = body.rfind(_EVENT_END)
        cut = end + len(_EVENT_END) if end >= 0 else 0
        self._partial = body[cut:]
        return body[:cut]

    def _read_events(self, trace: Trace, body: bytes) -> None:
        """What cannot be counted at a glance: an error, the end marker, an event without a running count.

        Where the server does not count, one event with text is one token.
        """
        for event in body.replace(b"\r\n", b"\n").split(_EVENT_END):
            payload = _payload(event)
            if not payload or payload == b"[DONE]":
                continue
            message = _json_object(payload)
            if message is None:
                trace.error = trace.error or f"unreadable event: {payload[:200].decode(errors='replace')}"
                continue
            if message.get("error") is not None:
                trace.error = trace.error or f"error in the stream: {str(message['error'])[:300]}"
                continue
            total = (message.get("usage") or {}).get("completion_tokens")
            new = int(_has_text(message)) if total is None else total - trace.output_tokens
            if new > 0:
                trace.arrival_ns.append(self._now)
                trace.arrival_tokens.append(new)
                trace.output_tokens += new
                self._last_event = event
            if _FINISH_KEY in event:
                trace.finish_reason = _finish_reason(event)

    def _finish(self, error: str | None) -> None:
        trace, done = self._trace, self._done
        if trace is None or done is None or done.done():
            return
        trace.finished_ns = self._now or time.perf_counter_ns()
        trace.error = trace.error or error
        self._trace = None
        done.set_result(None)


def _payload(event: bytes) -> bytes:
    """The data of an event without its comments and other fields; lines that belong to none are kept."""
    lines = (line for line in event.split(b"\n") if not line.startswith(_NOT_DATA))
    return b"".join(line.removeprefix(b"data:").strip() for line in lines)


def _json_object(payload: bytes) -> dict | None:
    try:
        message = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return None
    return message if isinstance(message, dict) else None


def _finish_reason(body: bytes) -> str:
    start = body.rfind(_FINISH_KEY) + len(_FINISH_KEY)
    return body[start : body.find(b'"', start)].decode(errors="replace")


def _has_text(message: dict) -> bool:
    """Whether a Completions or Chat chunk carries generated text, reasoning included."""
    for choice in message.get("choices") or ():
        delta = choice.get("delta") or {}
        if (
            choice.get("text")
            or delta.get("content")
            or delta.get("reasoning_content")
            or delta.get("reasoning")
        ):
            return True
    return False
