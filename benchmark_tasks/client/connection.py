"""One keep-alive HTTP connection that streams completions and stamps every event as its bytes arrive.

The hot path runs once per event: take the time, decode it (`client.answer`), append what it brought. What the
tokens of an answer are is decided when it ends (`client.tokens`).
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

import httptools

from benchmark_tasks.client.address import Address
from benchmark_tasks.client.answer import Answer
from benchmark_tasks.client.event_stream import EventStream
from benchmark_tasks.client.tokens import count
from benchmark_tasks.errors import one_line

_MAX_ERROR_BYTES = 2000


CANCELLED = "cancelled: the load had ended"
"""`Trace.error` of a request that was in flight when the load stopped; not a failure."""


@dataclass(slots=True)
class Trace:
    """What happened to one request. Times are `time.perf_counter_ns` (CLOCK_MONOTONIC).

    under_way: it stands for the rest of an answer (`workloads.stationary`), not for a request of the set.
    prescribed: its answer is to have exactly `max_tokens` tokens.
    progress_ns: when it was sent or last got a token. Headers and comments that keep a stream alive are none.
    output_tokens: how many have arrived; until the request has ended, as far as one can say by then.
    due_ns: when the schedule of an open loop has it.
    keep_text: its text is to be kept. text: the answer's, if so, once it has ended.
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
    prescribed: bool = False
    progress_ns: int = 0
    due_ns: int | None = None
    keep_text: bool = False
    text: str | None = None


class StreamingConnection(asyncio.Protocol):
    """Sends one request at a time; `send` returns when its stream has ended or failed."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._trace: Trace | None = None
        self._done: asyncio.Future[bool] | None = None
        self._now = 0
        self._served = 0
        self._begin_response()

    def _begin_response(self, *, keep_text: bool = False) -> None:
        self._answer = Answer(keep_text=keep_text)
        self._stream = EventStream()
        self._headers: dict[bytes, bytes] = {}
        self._status = 0
        self._failed_body = b""
        self._received = False

    # --- used by the load generator -------------------------------------------------

    @property
    def usable(self) -> bool:
        """Whether another request can be sent on this connection."""
        return self._transport is not None and not self._transport.is_closing()

    async def send(self, path: str, body: bytes, trace: Trace) -> bool:
        """Send a request and fill `trace`; never raises for what the server does wrong.

        Returns:
            False where a server closed a connection that it had kept since an earlier request, before
            anything of the answer came: it did not read the request, which may be sent again
            (RFC 9112, 9.3.1).
        """
        assert self._transport is not None
        self._trace = trace
        self._begin_response(keep_text=trace.keep_text)
        self._parser = httptools.HttpResponseParser(self)
        self._done = asyncio.get_running_loop().create_future()
        trace.sent_ns = trace.progress_ns = time.perf_counter_ns()
        self._transport.write(self._address.head(path, len(body)) + body)
        return await self._done

    def abort(self, reason: str) -> None:
        """End the request in flight and close the connection; an error, unless its answer is complete."""
        self._now = time.perf_counter_ns()
        self._finish(None if self._answer.done else reason)
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
            self.close()  # nothing was asked for: whatever this is, it is not the next answer
            return
        self._received = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self.abort(f"malformed HTTP response: {error}")

    def connection_lost(self, exc: Exception | None) -> None:
        """The server closed the connection: the end of an answer without a length, or too early an end."""
        self._transport = None
        self._now = time.perf_counter_ns()
        if self._trace is None:
            return
        if self._served and not self._received:
            self._settle(sent=False)
        elif exc is None and self._ends_with_connection():
            self._end_response()
        else:
            reason = f"connection closed by the server{f': {exc}' if exc else ''}"
            self._finish(None if self._answer.done else reason)

    # --- httptools ------------------------------------------------------------------

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep the few headers that say how to read the body, or what to do."""
        self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        """Refuse an answer that cannot be read piece by piece."""
        self._status = self._parser.get_status_code()  # type: ignore[union-attr]
        encoding = self._headers.get(b"content-encoding", b"").strip().lower()
        if self._status == 200 and encoding not in (b"", b"identity"):
            self._answer.fail(
                f"the answer is compressed ({encoding.decode(errors='replace')}), which was not asked for: "
                "switch compression off at the server or the proxy before it"
            )

    def on_body(self, body: bytes) -> None:
        """Read what is complete of the stream."""
        trace, answer = self._trace, self._answer
        if trace is None:
            return
        if self._status != 200 or answer.error is not None:
            self._failed_body = (self._failed_body + body)[:_MAX_ERROR_BYTES]
            if self._status != 200 or b"content-encoding" in self._headers:
                return
        for event in self._stream.feed(body):
            if answer.take(event, self._now):
                trace.progress_ns = self._now
        trace.output_tokens = answer.tokens

    def on_message_complete(self) -> None:
        """The response has ended; one that only says `100 Continue` is followed by the real one."""
        if self._trace is None or self._parser is None:
            return
        if 100 <= self._status < 200:
            self._headers = {}
            return
        reusable = self._parser.should_keep_alive()
        self._end_response()
        if not reusable:
            self.close()

    # --- helpers --------------------------------------------------------------------

    def _ends_with_connection(self) -> bool:
        """Whether the response has neither a length nor chunks, so that it ends when the connection does."""
        framed = b"content-length" in self._headers or b"transfer-encoding" in self._headers
        return self._status >= 200 and not framed

    def _end_response(self) -> None:
        self._parser = None
        if self._status != 200:
            self._finish(_refusal(self._status, self._headers, self._failed_body))
            return
        for event in self._stream.close():
            self._answer.take(event, self._now)
        self._finish(self._answer.close(self._stream.other_text))

    def _finish(self, error: str | None) -> None:
        """Count the tokens and end the request."""
        trace, answer = self._trace, self._answer
        if trace is None or self._done is None or self._done.done():
            return
        error = answer.error or error
        length = trace.max_tokens if trace.prescribed else None
        counted = count(answer.pieces, length, complete=error is None)
        trace.arrival_ns, trace.arrival_tokens = counted.arrival_ns, counted.arrival_tokens
        trace.output_tokens = sum(counted.arrival_tokens)
        trace.prompt_tokens, trace.finish_reason = answer.prompt_tokens, answer.finish_reason
        trace.text = None if answer.texts is None else "".join(answer.texts)
        if error in (None, CANCELLED):
            error = counted.problem or error
        if error is None and trace.output_tokens == 0:
            error = "the stream ended without a token"
        trace.finished_ns = self._now or time.perf_counter_ns()
        trace.error = error
        self._settle(sent=True)

    def _settle(self, *, sent: bool) -> None:
        """Let `send` return."""
        done, self._trace, self._parser = self._done, None, None
        self._served += 1
        if done is not None and not done.done():
            done.set_result(sent)


def _refusal(status: int, headers: dict[bytes, bytes], body: bytes) -> str:
    """What an HTTP status other than 200 says, and what to do."""
    text = one_line(body.decode(errors="replace"))
    said = f"HTTP {status}: {text}" if text else f"HTTP {status}"

    def header(name: bytes) -> str:
        return headers.get(name, b"").decode(errors="replace")

    if 300 <= status < 400:
        return f"{said}: the server redirects to {header(b'location') or 'another address'}: use that address"
    if status in (401, 403):
        return f"{said}: the server requires a key: set JOULEBOARD_ENDPOINT_KEY"
    if header(b"retry-after"):
        return f"{said}: the server accepts no more requests now (Retry-After: {header(b'retry-after')})"
    return said
