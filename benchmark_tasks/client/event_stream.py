"""Server-sent events out of bytes that arrive in any pieces.

Follows the specification (https://html.spec.whatwg.org/multipage/server-sent-events.html): lines end with LF,
CRLF or CR, a byte order mark may come first, comments begin with a colon, the data of an event may fill
several lines, unknown fields are ignored. It differs in one point: an event whose last blank line is missing
is not thrown away, because many servers end their stream with `data: [DONE]` and one line end.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_LINE_END = re.compile(rb"\r\n|\n|\r")
_FIELD_NAME = re.compile(rb"[A-Za-z][\w-]*")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_KEPT_BYTES = 2000


class ServerSentEvent(NamedTuple):
    """One event. `kind`: its `event` field, empty where it has none. `data`: its lines, joined by LF."""

    kind: bytes
    data: bytes


class EventStream:
    """Takes the bytes of one stream and gives its events.

    other_text: the beginning of what is no event stream, such as an HTML page or a JSON object; empty
        if there is nothing of that kind.
    """

    def __init__(self) -> None:
        self.other_text = b""
        self._line = b""
        self._data: list[bytes] = []
        self._kind = b""
        self._first = True
        self._after_cr = False

    def feed(self, received: bytes) -> tuple[ServerSentEvent, ...] | list[ServerSentEvent]:
        """The events that are complete with these bytes."""
        if self._is_one_event(received):
            self._first = False
            return (ServerSentEvent(b"", received[6:-2]),)
        if self._after_cr and received.startswith(b"\n"):
            received = received[1:]
        if received:
            self._after_cr = received.endswith(b"\r")
        *lines, self._line = _LINE_END.split(self._line + received)
        return [event for line in lines if (event := self._take(line)) is not None]

    def close(self) -> list[ServerSentEvent]:
        """The event that the stream ended in, if there is one."""
        rest, self._line = self._line, b""
        events = (self._take(rest) if rest else None, self._dispatch())
        return [event for event in events if event is not None]

    def _is_one_event(self, received: bytes) -> bool:
        """Whether this is one whole event of one data line, as most reads are; exact, and cheap to say."""
        return (
            received.startswith(b"data: ")
            and received.find(b"\n") == len(received) - 2
            and received.endswith(b"\n\n")
            and received.find(b"\r") < 0
            and not (self._line or self._data or self._kind or self._after_cr)
        )

    def _take(self, line: bytes) -> ServerSentEvent | None:
        if self._first:
            self._first, line = False, line.removeprefix(_BYTE_ORDER_MARK)
        if not line:
            return self._dispatch()
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
        elif name == b"event":
            self._kind = value
        elif name and _FIELD_NAME.fullmatch(name) is None:
            self.other_text = (self.other_text + line + b"\n")[:_KEPT_BYTES]
        return None

    def _dispatch(self) -> ServerSentEvent | None:
        data, kind, self._data, self._kind = self._data, self._kind, [], b""
        return ServerSentEvent(kind, b"\n".join(data)) if data or kind else None
