"""Small pictures of a row's evidence, as inline SVG in the colours of the page's style sheet.

A picture says its numbers in words, too (`aria-label`). All text is escaped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

WIDTH, HEIGHT = 300, 84
_LEFT, _BOTTOM, _TOP = 36, 18, 8


@dataclass(frozen=True)
class Power:
    """Power of one run over time. window_start, window_end: its steady window, s; `None` without one."""

    starts: Sequence[float]
    ends: Sequence[float]
    watts: Sequence[float]
    window_start: float | None
    window_end: float | None


@dataclass(frozen=True)
class Lengths:
    """Responses by length in tokens."""

    starts: Sequence[float]
    ends: Sequence[float]
    responses: Sequence[int]

    def quantile(self, share: float) -> float:
        """The length below which this share of the responses is, evenly spread within a bin."""
        wanted, below = share * sum(self.responses), 0.0
        for start, end, count in zip(self.starts, self.ends, self.responses, strict=True):
            if below + count >= wanted:
                return start + (end - start) * (wanted - below) / count
            below += count
        return self.ends[-1]


def power_picture(power: Power) -> Markup:
    """Mean power per interval as a line; the steady window is shaded."""
    start, end, top = power.starts[0], power.ends[-1], max(power.watts)
    across = (WIDTH - _LEFT) / (end - start)
    up = (HEIGHT - _TOP - _BOTTOM) / (top or 1.0)
    line = "M" + "L".join(
        f"{_LEFT + ((one + other) / 2 - start) * across:.1f} {HEIGHT - _BOTTOM - watts * up:.1f}"
        for one, other, watts in zip(power.starts, power.ends, power.watts, strict=True)
    )
    window, said = Markup(), ""
    if power.window_start is not None and power.window_end is not None:
        left, right = (_LEFT + (at - start) * across for at in (power.window_start, power.window_end))
        window = Markup('<rect class="window" x="{}" y="{}" width="{}" height="{}"/>').format(
            f"{left:.1f}", _TOP, f"{right - left:.1f}", HEIGHT - _TOP - _BOTTOM
        )
        said = f"; steady window from {power.window_start:.0f} s to {power.window_end:.0f} s"
    label = f"Power over time from {start:.0f} s to {end:.0f} s, at most {top:,.0f} W{said}"
    return _frame(
        label,
        window + Markup('<path class="line" d="{}"/>').format(line),
        top=f"{top:,.0f} W",
        first=f"{start:.0f} s",
        last=f"{end:.0f} s",
    )


def length_picture(lengths: Lengths, joules_per_token: float | None) -> Markup:
    """Responses by length as a histogram."""
    first, last, most = 0.0, lengths.ends[-1], max(lengths.responses)
    path = _bars(lengths, _LEFT, (WIDTH - _LEFT) / last, HEIGHT - _BOTTOM, (HEIGHT - _TOP - _BOTTOM) / most)
    end = f"{last:,.0f} tokens"
    if joules_per_token is not None:
        end += f" = {last * joules_per_token:,.0f} J"
    return _frame(
        in_words(lengths),
        Markup('<path class="bars" d="{}"/>').format(path),
        top=f"{most:,}",
        first=f"{first:.0f}",
        last=end,
    )


def length_spark(lengths: Lengths) -> Markup:
    """The same without axes, for a cell of a table."""
    path = _bars(lengths, 0, 72 / lengths.ends[-1], 16, 15 / max(lengths.responses))
    return Markup(
        '<svg class="marks spark" viewBox="0 0 72 16" role="img" aria-label="{}">'
        '<path class="bars" d="{}"/></svg>'
    ).format(in_words(lengths), path)


def in_words(lengths: Lengths) -> str:
    """What the histogram shows."""
    middle, high = lengths.quantile(0.5), lengths.quantile(0.9)
    return (
        f"Lengths of {sum(lengths.responses):,} answers: half have at most {middle:,.0f} tokens,"
        f" nine in ten at most {high:,.0f}"
    )


def _bars(lengths: Lengths, left: float, across: float, bottom: float, up: float) -> str:
    return "".join(
        f"M{left + start * across:.1f} {bottom:g}v{-max(count * up, 0.5):.1f}"
        f"h{(end - start) * across:.1f}V{bottom:g}z"
        for start, end, count in zip(lengths.starts, lengths.ends, lengths.responses, strict=True)
    )


def _frame(label: str, drawn: Markup, *, top: str, first: str, last: str) -> Markup:
    return Markup(
        '<svg class="marks picture" viewBox="0 0 {width} {height}" role="img" aria-label="{label}">{drawn}'
        '<path class="axis" d="M{left} {top_y}V{bottom}H{width}"/>'
        '<text x="{text}" y="{text_y}" text-anchor="end">{top}</text>'
        '<text x="{text}" y="{bottom}" text-anchor="end">0</text>'
        '<text x="{left}" y="{foot}">{first}</text>'
        '<text x="{width}" y="{foot}" text-anchor="end">{last}</text></svg>'
    ).format(
        width=WIDTH, height=HEIGHT, label=label, drawn=drawn, left=_LEFT, top_y=_TOP, foot=HEIGHT - 4,
        bottom=HEIGHT - _BOTTOM, text=_LEFT - 4, text_y=_TOP + 8, top=top, first=first, last=last,
    )  # fmt: skip
