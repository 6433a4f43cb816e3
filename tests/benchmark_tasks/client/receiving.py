"""What a connection makes of bytes that a server might send."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import orjson

from benchmark_tasks.client.address import Address
from benchmark_tasks.client.connection import StreamingConnection, Trace

DONE = b"data: [DONE]\n\n"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"


class Transport:
    """The part of a transport that a connection uses."""

    def __init__(self) -> None:
        self.closed = False
        self.written = b""

    def write(self, data: bytes) -> None:
        self.written += data

    def abort(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


def event(
    text: str | None = "x",
    count: object = None,
    reason: str | None = None,
    *,
    chat: bool = False,
    spaced: bool = False,
) -> bytes:
    """An event of an answer; without a text, one that ends it; `count` is its `usage.completion_tokens`."""
    said: dict[str, object] = {"delta": {"content": text} if text else {}} if chat else {"text": text or ""}
    message: dict[str, object] = {"choices": [{"index": 0, **said, "finish_reason": reason}]}
    if count is not None:
        message["usage"] = {"prompt_tokens": 7, "completion_tokens": count}
    data = orjson.dumps(message, option=orjson.OPT_INDENT_2 if spaced else 0)
    return b"".join(b"data: %s\n" % line for line in data.split(b"\n")) + b"\n"


def final_usage(count: object) -> bytes:
    """The usage that comes after the answer, in an event without choices."""
    return b"data: " + orjson.dumps({"choices": [], "usage": {"completion_tokens": count}}) + b"\n\n"


def chunked(*parts: bytes, head: bytes = HEAD) -> bytes:
    """A whole response in HTTP chunks."""
    body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts if part)
    return head + b"Transfer-Encoding: chunked\r\n\r\n" + body + b"0\r\n\r\n"


def receive(*reads: bytes, close: bool = False, max_tokens: int = 100, prescribed: bool = False) -> Trace:
    """The trace of a request whose answer arrives in these reads."""

    async def talk() -> Trace:
        connection = StreamingConnection(Address("test", 80))
        connection.connection_made(Transport())  # type: ignore[arg-type]
        trace = Trace(0, 0, max_tokens=max_tokens, prescribed=prescribed)
        sending = asyncio.ensure_future(connection.send("/v1/completions", b"{}", trace))
        await asyncio.sleep(0)
        for read in reads:
            connection.data_received(read)
        if close:
            connection.connection_lost(None)
        await asyncio.wait_for(sending, 5)
        return trace

    return asyncio.run(talk())


def cut(stream: bytes, places: Sequence[int]) -> list[bytes]:
    """The stream in pieces."""
    return [stream[a:b] for a, b in zip([0, *places], [*places, len(stream)], strict=True)]
