"""How many tokens each event of an answer brought, from what the server says in its events.

Servers report `usage.completion_tokens` in different ways, although all are asked for a running count:

    in every event, all tokens so far           vLLM and SGLang with `continuous_usage_stats`
    in every event, those since the last one    recognised by a final total, a fall, or the prescribed length
    once at the end, or every few events        exact where each event with text is one token
    never                                       each event with text is taken for one token

What the events leave open is not guessed: then `Counted.problem` says what is missing. That each event is one
token is confirmed, or refuted, by the prescribed length and by the server's own counter (`language.witness`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

TEXT, FINISH, CHOICE = 1, 2, 4
"""What a piece carries: generated text; the reason why the answer ended; anything of the answer at all."""

Piece = tuple[int, int | None, int]
"""(arrival in ns, the count that came with it or `None`, what it carries).

A piece that carries nothing is the final usage, whose event has no choices. One with a count, but no text, is
usual: some tokens are no text yet, or never."""

_UNKNOWN = "let the server report usage in every event (stream_options.continuous_usage_stats)"


@dataclass
class Counted:
    """Tokens by arrival: `arrival_tokens[i]` came at `arrival_ns[i]`, with one event.

    problem: why the counts are not known; `None` if they are.
    """

    arrival_ns: list[int] = field(default_factory=list)
    arrival_tokens: list[int] = field(default_factory=list)
    problem: str | None = None

    def add(self, at_ns: int, tokens: int) -> None:
        """Tokens came at an instant."""
        if tokens:
            self.arrival_ns.append(at_ns)
            self.arrival_tokens.append(tokens)


def count(pieces: Sequence[Piece], prescribed: int | None, *, complete: bool) -> Counted:
    """How many tokens came when.

    Args:
        pieces: in the order in which they came.
        prescribed: how long the answer was to be; `None` where it ends by itself.
        complete: whether the answer is: one that was cut off may lack its last count.
    """
    totals = [total for _, total, _ in pieces if total is not None]
    if not totals:
        return _one_each(at for at, _, carries in pieces if carries & TEXT)
    counted = _from_totals(pieces)
    if not _always_grows(pieces):
        counted.problem = f"usage contradicts itself ({_in_short(totals)} tokens): {_UNKNOWN}"
    elif counted.problem is None and (not complete or prescribed in (None, totals[-1])):
        return counted
    match _meaning(pieces, totals, prescribed):
        case "total":
            return _from_totals(pieces)
        case "difference":
            return _from_differences(pieces)
    return counted


def _always_grows(pieces: Sequence[Piece]) -> bool:
    """Whether no count falls, and each event with text and a count has a larger one than before."""
    last = 0
    for _, total, carries in pieces:
        if total is not None:
            if total < last or (total == last and carries & TEXT):
                return False
            last = total
    return True


def _meaning(pieces: Sequence[Piece], totals: Sequence[int], prescribed: int | None) -> str | None:
    """Whether counts are totals or differences, where they do not simply grow; `None` if nothing tells."""
    has_final = not pieces[_last_counted(pieces)][2]
    final, events = (totals[-1], totals[:-1]) if has_final else (prescribed, totals)
    grows = all(before <= after for before, after in pairwise(totals))
    if final is None:
        return None if grows else "difference"
    if grows and events and events[-1] == final:
        return "total"
    return "difference" if sum(events) == final else None


def _last_counted(pieces: Sequence[Piece]) -> int:
    return max(i for i, (_, total, _) in enumerate(pieces) if total is not None)


def _one_each(arrivals: Iterator[int]) -> Counted:
    counted = Counted()
    for at in arrivals:
        counted.add(at, 1)
    return counted


def _from_differences(pieces: Sequence[Piece]) -> Counted:
    counted = Counted()
    for at, total, carries in pieces:
        if carries and total is not None:
            counted.add(at, total)
        elif carries & TEXT:
            counted.problem = f"some events with text have no count: {_UNKNOWN}"
    return counted


def _from_totals(pieces: Sequence[Piece]) -> Counted:
    """Counts of all tokens so far. Text that came without a count shares the growth up to the next one."""
    counted, last, waiting, finish = Counted(), 0, [], None
    for at, total, carries in pieces:
        if total is None:
            if carries & TEXT:
                waiting.append(at)
            elif carries & FINISH:
                finish = at
            continue
        if not waiting and carries:
            counted.add(at, total - last)
        elif waiting or total > last:
            if carries & TEXT:
                waiting.append(at)
            elif carries:
                finish = at
            _share(counted, total - last, waiting, finish, at)
            waiting, finish = [], None
        last = total
    for at in waiting:  # confirmed or refuted like text without any usage
        counted.add(at, 1)
    return counted


def _share(counted: Counted, tokens: int, events: Sequence[int], finish: int | None, at_ns: int) -> None:
    """Give each event its tokens: one each, all to the only one, or one more to the event that ended it.

    at_ns: when their count came.
    """
    slots = [*events, finish] if finish is not None and tokens == len(events) + 1 else list(events)
    if len(slots) == tokens:
        for slot in slots:
            counted.add(slot, 1)
    elif len(slots) == 1:
        counted.add(slots[0], tokens)
    elif tokens:
        counted.add(at_ns, tokens)
        counted.problem = counted.problem or (
            f"{tokens} tokens came in {len(events)} events, and the server does not say how many in each: "
            f"{_UNKNOWN}"
        )


def _in_short(totals: Sequence[int]) -> str:
    shown = [str(total) for total in totals]
    return ", ".join(shown if len(shown) <= 6 else [*shown[:3], "...", *shown[-3:]])
