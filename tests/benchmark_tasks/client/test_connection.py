"""Token counting: whatever the network does to the bytes, the counts stay."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark_tasks.client.address import Address
from benchmark_tasks.client.connection import StreamingConnection, Trace


class _Transport:
    """The part of a transport that a connection uses."""

    def __init__(self) -> None:
        self.closed = False

    def write(self, data: bytes) -> None: ...

    def abort(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


ERROR = b'data: {"error":{"message":"boom"}}\n\n'
DONE = b"data: [DONE]\n\n"


def event(total: int, text: str = "x", reason: str | None = None) -> bytes:
    choice = {"index": 0, "text": text, "finish_reason": reason}
    usage = {"prompt_tokens": 7, "total_tokens": 7 + total, "completion_tokens": total}
    return b"data: " + orjson.dumps({"choices": [choice], "usage": usage}) + b"\n\n"


def plain_event(text: str = "x") -> bytes:
    """An event of a server that does not say how many tokens it has written."""
    return b"data: " + orjson.dumps({"choices": [{"index": 0, "text": text}]}) + b"\n\n"


def response(events: list[bytes], status: int = 200) -> bytes:
    head = b"HTTP/1.1 %d X\r\nTransfer-Encoding: chunked\r\n\r\n" % status
    return head + b"".join(b"%x\r\n%s\r\n" % (len(e), e) for e in events) + b"0\r\n\r\n"


def receive(pieces: list[bytes], then_close: bool = False) -> Trace:
    """What a connection makes of bytes that arrive in these pieces."""

    async def talk() -> Trace:
        connection = StreamingConnection(Address("test", 80))
        connection.connection_made(_Transport())  # type: ignore[arg-type]
        trace = Trace(0, 0, max_tokens=100)
        sending = asyncio.ensure_future(connection.send("/v1/completions", b"{}", trace))
        await asyncio.sleep(0)
        for piece in pieces:
            connection.data_received(piece)
        if then_close:
            connection.connection_lost(None)
        await asyncio.wait_for(sending, 5)
        return trace

    return asyncio.run(talk())


@settings(max_examples=150)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=12), st.sampled_from([b"\n", b"\r\n"]), st.data())
def test_counts_survive_any_segmentation(increments: list[int], line_end: bytes, data: st.DataObject) -> None:
    totals = [sum(increments[: i + 1]) for i in range(len(increments))]
    events = [b": ping\n\n", *map(event, totals), b"data: [DONE]\n\n"]
    stream = response([one.replace(b"\n", line_end) for one in events])
    cuts = sorted(data.draw(st.sets(st.integers(1, len(stream) - 1), max_size=12)))
    trace = receive([stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)])
    assert trace.error is None
    assert trace.output_tokens == sum(trace.arrival_tokens) == totals[-1]
    assert trace.prompt_tokens == 7
    assert trace.arrival_ns == sorted(trace.arrival_ns)


@pytest.mark.parametrize("make", [event, lambda total: plain_event()])
def test_each_event_is_stamped_when_it_comes_whatever_its_line_ends(make: Callable[[int], bytes]) -> None:
    for line_end, tail in ((b"\n", b""), (b"\r\n", b""), (b"\r\n", b"\n"), (b"\r\n", b"\n\r\n")):
        whole = [make(total).replace(b"\n", line_end) for total in (1, 2, 3)]
        cut = len(tail)  # each event's last bytes come with the next one
        late = [b"", *(one[len(one) - cut :] for one in whole)]
        chunks = [end + one[: len(one) - cut] for end, one in zip(late, [*whole, b""], strict=True)]
        trace = receive([response([*filter(None, chunks), DONE])])
        assert trace.arrival_tokens == [1, 1, 1] and trace.error is None, (line_end, tail)


def test_generated_text_cannot_pose_as_a_count() -> None:
    trace = receive([response([event(1, text='"completion_tokens":999'), event(2, text='"error"'), DONE])])
    assert trace.output_tokens == 2 and trace.error is None


def test_without_running_usage_a_chunk_is_a_token_reasoning_included() -> None:
    deltas = [{"role": "assistant"}, {"reasoning_content": "hm"}, {"reasoning": "so"}, {"content": "yes"}, {}]
    events = [b"data: " + orjson.dumps({"choices": [{"delta": delta}]}) + b"\n\n" for delta in deltas]
    assert receive([response([*events, DONE])]).output_tokens == 3


def test_tokens_that_came_with_an_error_are_counted_and_the_request_has_failed() -> None:
    trace = receive([response([event(1), event(4) + ERROR + b"data: [DONE]\n\n"])])
    assert trace.arrival_tokens == [1, 3] and trace.error == "error in the stream: {'message': 'boom'}"


@pytest.mark.parametrize(
    "unusual",
    [
        b'data: {"choices":[{"text":"x"}],"error":null,"usage":{"completion_tokens":2}}\n\n',
        b'data: {"choices":[{"text":"x"}],"usage":{"completion_tokens" : 2}}\n\n',
        b'data: {"choices":[{"text":"x"}],"usage":{"completion_tokens":null}}\n\n',
        b": kept alive\nid: 2\nevent: completion\n" + plain_event(),
    ],
)
def test_an_unusual_event_is_still_a_token(unusual: bytes) -> None:
    trace = receive([response([event(1), unusual, DONE])])
    assert trace.output_tokens == 2 and trace.error is None


def test_the_word_error_is_no_error() -> None:
    assert receive([response([event(1, text="error"), event(2, text='{"error":"x"}'), DONE])]).error is None


def test_finish_reason_is_kept() -> None:
    assert receive([response([event(1), event(2, reason="length")])]).finish_reason == "length"


@pytest.mark.parametrize(
    ("pieces", "close", "error"),
    [
        ([response([event(1), ERROR])], False, "error in the stream: .*boom"),
        ([response([event(1), event(2) + ERROR])], False, "error in the stream: .*boom"),
        ([response([event(1), ERROR + event(2)])], False, "error in the stream: .*boom"),
        (
            [response([event(1), b'data: {"error":"boom","usage":{"completion_tokens":2}}\n\n'])],
            False,
            "boom",
        ),
        ([response([plain_event() + ERROR.replace(b"\n", b"\r\n")])], False, "boom"),
        ([response([b"event: error\n" + ERROR])], False, "^error in the stream: .*boom"),
        ([response([event(1), ERROR])[:-5]], True, "boom"),
        ([response([ERROR.strip()])], False, "boom"),
        ([response([b'{"error":"no such model"}'])], False, "no such model"),
        ([response([event(1), event(2)[:40]])], False, "unreadable event"),
        ([response([event(1), b"data: 5\n\n"])], False, "unreadable event: 5"),
        ([response([b'{"error":\r\n  "no such model"}'], status=404)], False, "HTTP 404: .*: .no such model"),
        ([response([event(1)])[:-20]], True, "closed by the server"),
        ([b"not http at all\r\n\r\n"], False, "malformed HTTP"),
        ([response([b"data: [DONE]\n\n"])], False, "without a token"),
        ([response([event(1), b"data: {broken\n\n"])], False, "unreadable event"),
    ],
)
def test_what_goes_wrong_is_said(pieces: list[bytes], close: bool, error: str) -> None:
    with pytest.raises(AssertionError, match=error):
        raise AssertionError(receive(pieces, then_close=close).error)
