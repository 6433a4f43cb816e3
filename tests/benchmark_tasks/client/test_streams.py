"""Streams of other people's servers: an answer is right, or its request has failed and says why."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark_tasks.client.event_stream import EventStream
from tests.benchmark_tasks.client.receiving import DONE, HEAD, chunked, cut, event, final_usage, receive

LAST = event("c", 3, "stop")
ANSWER = (event("a", 1), event("b", 2), LAST)
CHAT = tuple(event(text, n, "stop" if n == 3 else None, chat=True) for n, text in enumerate("abc", 1))


# --- the event stream -----------------------------------------------------------------------------


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("answer", [ANSWER, CHAT, tuple(e.replace(b"data: ", b"data:") for e in ANSWER)])
@settings(max_examples=12)
@given(data=st.data())
def test_any_line_end_mark_blank_and_split_gives_the_same_answer(
    answer: tuple[bytes, ...], mark: bytes, line_end: bytes, data: st.DataObject
) -> None:
    body = (mark + b": hello\nid: 4\nretry: 9\nx-own: 1\n\n" + b"".join(answer) + DONE).replace(
        b"\n", line_end
    )
    stream = HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body
    places = sorted(data.draw(st.sets(st.integers(1, len(stream) - 1), max_size=8)))
    trace = receive(*cut(stream, places))
    assert trace.error is None and trace.arrival_tokens == [1, 1, 1] and trace.finish_reason == "stop"
    assert trace.prompt_tokens == 7


def test_an_event_may_fill_several_lines_and_its_data_may_have_any_blanks() -> None:
    spaced = [event(text, n, "length" if n == 3 else None, spaced=True) for n, text in enumerate("abc", 1)]
    trace = receive(chunked(*spaced, DONE))
    assert trace.error is None and trace.arrival_tokens == [1, 1, 1] and trace.finish_reason == "length"


@pytest.mark.parametrize(
    "read", [b"data: a\n\n", b"data: a\n", b"\xef\xbb\xbfdata: a\r\r", b"data:a", b"data: a\r"]
)
def test_what_ends_without_a_blank_line_is_an_event_all_the_same(read: bytes) -> None:
    stream = EventStream()
    assert [e.data for e in [*stream.feed(read), *stream.close()]] == [b"a"]


@settings(max_examples=100)
@given(
    st.lists(
        st.sampled_from([b"data: ", b"data:", b"x", b"\n", b"\r", b"\r\n", b":c", b"event: e", b"\n\n"])
    ),
    st.data(),
)
def test_how_bytes_are_split_never_matters(parts: list[bytes], data: st.DataObject) -> None:
    body = b"".join(parts)
    whole, split = EventStream(), EventStream()
    expected = [*whole.feed(body), *whole.close()]
    places = sorted(data.draw(st.sets(st.integers(1, max(len(body) - 1, 1)), max_size=6)))
    events = [e for piece in cut(body, [p for p in places if p < len(body)]) for e in split.feed(piece)]
    assert [*events, *split.close()] == expected


def test_utf_8_may_be_split_and_escaped() -> None:
    stream = chunked(
        event("é\u2028😀", 1),
        b'data: {"choices":[{"text":"\\u00e9\\ud83d\\ude00","finish_reason":"stop"}]}\n\n',
    )
    for place in range(1, len(stream)):
        trace = receive(stream[:place], stream[place:])
        assert trace.error is None and trace.output_tokens == 2


# --- the end --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "stream",
    [
        chunked(*ANSWER),
        chunked(event("a", 1), event("b", 2), event("c", 3), DONE),
        chunked(*ANSWER, DONE.strip()),
        chunked(*ANSWER, final_usage(3), DONE),
        chunked(*ANSWER, b"data:[DONE]\n\n"),
        chunked(event("", 0), *ANSWER, DONE),
    ],
)
def test_a_finish_reason_or_the_streams_own_end_makes_an_answer_complete(stream: bytes) -> None:
    trace = receive(stream)
    assert trace.error is None and trace.arrival_tokens == [1, 1, 1]


@pytest.mark.parametrize(
    ("parts", "error"),
    [
        ([event("a", 1), event("b", 2)], "ended before the answer did"),
        ([event("a", 1), event("b", 2, "error")], "finish_reason 'error'"),
        ([event("a", 1), event("b", 2, "abort"), DONE], "finish_reason 'abort'"),
        ([event("a", 1), event("b", 2, "content_filter"), DONE], "finish_reason 'content_filter'"),
        ([event("a", 1), event(None, 2, "who_knows"), DONE], "finish_reason 'who_knows'"),
        ([DONE], "without a token"),
        ([event(None, 0, "stop"), DONE], "without a token"),
        ([*ANSWER, DONE, event("d", 4)], r"after \[DONE\]"),
        ([b"<html><body>Bad gateway</body></html>"], "not an event stream: <html>.*Bad gateway"),
        ([b"Internal Server Error"], "not an event stream: Internal"),
        ([b'{"object":"error",\n "message":"full"}'], "error in the stream: .*full"),
        ([b'{"choices":[{"text":"all of it"}]}'], "not an event stream"),
        ([event("a", 1), b"Internal Server Error\n\n", LAST], "not an event stream"),
        ([event("a", 1), b"data: {broken\n\n", LAST], "unreadable event"),
        ([event("a", 1), b"data: [1]\n\n", LAST], r"unreadable event: \[1\]"),
        ([event("a", 1), b'data: "gone"\n\n', LAST], "unreadable event: gone"),
        ([b'data: {"choices":[{"text":"a"},{"index":1,"text":"b"}]}\n\n', LAST], "one answer was asked for"),
        ([b'data: {"choices":[{"index":1,"text":"b"}]}\n\n', LAST], "another came: index 1"),
        ([b'data: {"choices":["b"]}\n\n', LAST], "one answer was asked for"),
        (
            [b'data: {"choices":[{"text":"a","error":{"message":"full"}}]}\n\n', LAST],
            "error in the stream: .*full",
        ),
    ],
)
def test_an_answer_that_did_not_end_as_the_protocol_says_has_failed(parts: list[bytes], error: str) -> None:
    with pytest.raises(AssertionError, match=error):
        raise AssertionError(receive(chunked(*parts)).error)


@pytest.mark.parametrize(
    "problem",
    [
        b'{"error":{"message":"boom","code":500}}',
        b'{"error":"boom"}',
        b'{"object":"error","message":"boom","code":400}',
        b'{"type":"error","info":"boom"}',
        b'{"detail":"boom"}',
        b'{"detail":[{"loc":["body"],"msg":"boom"}]}',
        b'{"message":"boom","code":503}',
        b'{"errors":["boom"]}',
        b'{"code":"boom"}',
        b'{ "error" : { "message" : "boom" } }',
        b'{"choices":[],"error":{"message":"boom"}}',
        b'{"choices":[],"object":"error","message":"boom"}',
    ],
)
@pytest.mark.parametrize("answer", [ANSWER, CHAT])
def test_an_error_in_any_shape_fails_the_request(problem: bytes, answer: tuple[bytes, ...]) -> None:
    for stream in (
        chunked(*answer[:1], b"data: " + problem + b"\n\n", DONE),
        chunked(*answer[:1], b"event: error\ndata: " + problem + b"\n\n", *answer[1:], DONE),
        chunked(*answer, b"data: " + problem + b"\r\n\r\n"),
        chunked(problem),
    ):
        trace = receive(stream)
        assert trace.error is not None and "boom" in trace.error and "\n" not in trace.error


@pytest.mark.parametrize(
    "data", [b"boom", b'{"reason":"boom"}', b'"boom"', b'{"choices":[],"reason":"boom"}']
)
def test_an_event_of_the_kind_error_is_an_error_whatever_its_data(data: bytes) -> None:
    trace = receive(chunked(*ANSWER[:2], b"event: error\ndata: " + data + b"\n\n", LAST, DONE))
    assert trace.error is not None and "boom" in trace.error


@pytest.mark.parametrize(
    "harmless",
    [
        b": ping\n\n",
        b"event: ping\ndata: now\n\n",
        b'event: ping\ndata: {"type":"ping"}\n\n',
        b'data: {"choices":[],"error":null,"usage":null}\n\n',
        b'data: {"choices":[{"delta":{}}]}\n\n',
        b'data: {"choices":[{"delta":{"role":"assistant","content":""},"finish_reason":null}],"code":0}\n\n',
        b"data:\n\n",
        b"\n\n\n",
    ],
)
def test_what_is_no_part_of_the_answer_changes_nothing(harmless: bytes) -> None:
    trace = receive(chunked(harmless, *ANSWER[:1], harmless, *ANSWER[1:], harmless, DONE, harmless))
    assert trace.error is None and trace.arrival_tokens == [1, 1, 1]


@pytest.mark.parametrize(
    "delta",
    [
        {"content": "a"},
        {"reasoning_content": "a"},
        {"reasoning": "a"},
        {"tool_calls": [{"index": 0, "function": {"arguments": "{"}}]},
        {"refusal": "no"},
    ],
)
def test_all_that_a_model_generates_is_text(delta: dict[str, object]) -> None:
    one = b"data: " + orjson.dumps({"choices": [{"index": 0, "delta": delta}]}) + b"\n\n"
    trace = receive(chunked(one, one, event(None, None, "tool_calls", chat=True), DONE))
    assert trace.error is None and trace.output_tokens == 2


# --- counts ---------------------------------------------------------------------------------------


def counts(*values: object, texts: str = "", end: object = "", last: str | None = "x") -> bytes:
    """Events with text and these counts; then the final usage, if any."""
    events = [event("x", value) for value in values]
    ending = [event(last, None, "stop")] if last is None else []
    final = [] if end == "" else [final_usage(end)]
    return chunked(*events, *ending, *final, DONE)


@pytest.mark.parametrize(
    ("stream", "tokens"),
    [
        (counts(1, 2, 3), [1, 1, 1]),
        (counts(4, 8, 12), [4, 4, 4]),
        (counts(4, 8, 12, end=12), [4, 4, 4]),
        (counts(1, 1, 1, end=3), [1, 1, 1]),
        (counts(4, 4, 2, end=10), [4, 4, 2]),
        (counts(4, 4, 2), [4, 4, 2]),
        (counts(1, 2, 3, end=6), [1, 2, 3]),
        (counts(None, None, None, end=3), [1, 1, 1]),
        (counts(None, None, None, end=4, last=None), [1, 1, 1, 1]),
        (counts(None, end=9), [9]),
        (counts(0, 0, 0, end=3), [1, 1, 1]),
        (counts(None, 2, None, 4, end=4), [1, 1, 1, 1]),
        (counts(None, None, None), [1, 1, 1]),
        (counts(1.0, 2.0, 3.0), [1, 1, 1]),
        (chunked(event("", 1), event("é", 2), event("", 3), event("", 4, "stop"), final_usage(4)), [1] * 4),
        (chunked(event("a"), event("", 2), event("b", 3, "stop"), final_usage(3)), [1, 1, 1]),
    ],
)
def test_each_event_has_the_tokens_that_it_brought(stream: bytes, tokens: list[int]) -> None:
    trace = receive(stream)
    assert trace.error is None and trace.arrival_tokens == tokens and trace.output_tokens == sum(tokens)


@pytest.mark.parametrize(
    ("stream", "error"),
    [
        (counts(None, None, None, end=12), "12 tokens came in 3 events"),
        (counts(None, None, 8, None, None, 16), "8 tokens came in 3 events"),
        (counts(1, 2, 3, end=9), "9|6 tokens came in 0 events"),
        (counts(1, 1, 1), "usage contradicts itself"),
        (counts(4, 4, 4, end=5), "usage contradicts itself"),
        (counts("1", "2", "3"), "not a count: '1'"),
        (counts(1, -2, 3), "not a count: '-2'"),
        (counts(1, True, 3), "not a count"),
        (counts(1, [2], 3), "not a count"),
        (counts(1, 2.5, 3), "not a count"),
    ],
)
def test_what_the_counts_leave_open_is_not_guessed(stream: bytes, error: str) -> None:
    with pytest.raises(AssertionError, match=error):
        raise AssertionError(receive(stream).error)


def test_the_prescribed_length_tells_differences_from_totals() -> None:
    assert receive(counts(4, 4, 4), max_tokens=12, prescribed=True).arrival_tokens == [4, 4, 4]
    assert receive(counts(4, 4, 4, end=12), max_tokens=12, prescribed=True).arrival_tokens == [4, 4, 4]
    assert receive(counts(1, 2, 3), max_tokens=6, prescribed=True).arrival_tokens == [1, 2, 3]
    assert receive(counts(1, 2, 3), max_tokens=3, prescribed=True).arrival_tokens == [1, 1, 1]


# --- HTTP -----------------------------------------------------------------------------------------


def test_a_body_may_end_with_its_connection() -> None:
    body = b"".join(ANSWER)
    assert receive(HEAD + b"\r\n" + body, close=True).error is None
    assert receive(HEAD.replace(b"1.1", b"1.0") + b"\r\n" + body + DONE, close=True).error is None
    assert "ended before" in str(receive(HEAD + b"\r\n" + ANSWER[0], close=True).error)


def test_chunks_may_have_extensions_and_trailers() -> None:
    body = b"".join(b"%x;name=value\r\n%s\r\n" % (len(part), part) for part in ANSWER)
    stream = HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + body + b"0;last\r\nX-Sum: 1\r\n\r\n"
    assert receive(stream).error is None


def test_continue_is_not_the_answer() -> None:
    trace = receive(
        b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + chunked(*ANSWER)
    )
    assert trace.error is None and trace.output_tokens == 3


def test_a_connection_that_breaks_after_the_streams_own_end_costs_nothing() -> None:
    assert receive(chunked(*ANSWER, DONE)[:-5], close=True).error is None
    assert "closed by the server" in str(receive(chunked(*ANSWER)[:-5], close=True).error)


@pytest.mark.parametrize(
    ("status", "headers", "error"),
    [
        (b"401 No", b"", "requires a key: set JOULEBOARD_ENDPOINT_KEY"),
        (b"403 No", b"", "requires a key"),
        (b"307 Moved", b"Location: http://elsewhere/\r\n", "redirects to http://elsewhere/"),
        (b"429 Slow", b"Retry-After: 5\r\n", r"no more requests now \(Retry-After: 5\)"),
        (b"503 Full", b"Retry-After: 5\r\n", "no more requests now"),
        (b"500 Oh", b"", "^HTTP 500: no$"),
        (b"200 OK", b"Content-Encoding: gzip\r\n", r"compressed \(gzip\).*switch compression off"),
        (b"200 OK", b"Content-Encoding: br\r\n", r"compressed \(br\)"),
        (b"204 Nothing", b"", "^HTTP 204"),
    ],
)
def test_a_refusal_says_what_to_do(status: bytes, headers: bytes, error: str) -> None:
    body = b"" if status.startswith(b"204") else b"no"
    length = b"" if not body else b"Content-Length: 2\r\n"
    with pytest.raises(AssertionError, match=error):
        raise AssertionError(
            receive(b"HTTP/1.1 " + status + b"\r\n" + headers + length + b"\r\n" + body).error
        )


# --- found by trying ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "says"),
    [
        ((event("a", 1), event("b", 2, "error"), event("", 2, "stop")), "finish_reason 'error'"),
        ((event("a", 1), event("b", 2, "abort"), event("", 2, "length")), "finish_reason 'abort'"),
        ((event("a", 1), event("b", 2, "stop"), event("c", 3)), "after the answer had ended"),
        ((event("a", 10**19, "stop"),), "is not a count"),
        ((event("a", 2.0**40, "stop"),), "is not a count"),
    ],
)
def test_an_answer_that_contradicts_itself_has_failed(events: tuple[bytes, ...], says: str) -> None:
    trace = receive(chunked(*events, DONE))
    assert trace.error is not None and says in trace.error
    assert trace.output_tokens < 100


def test_a_reason_may_come_once_more_after_the_last_text() -> None:
    trace = receive(chunked(event("a", 1), event("b", 2, "stop"), event("", 2, "stop"), final_usage(2), DONE))
    assert trace.error is None and trace.arrival_tokens == [1, 1]
