"""A change with its interval as a small picture: zero in the middle."""

from __future__ import annotations

from markupsafe import Markup

WIDTH, HEIGHT = 80, 14


def interval_picture(low: float | None, middle: float | None, high: float | None, widest: float) -> Markup:
    """Interval and mean of a relative change; empty where one is unknown.

    widest: the change at the edge of the picture, the same for all that are compared.
    """
    if low is None or middle is None or high is None or not widest:
        return Markup()
    left, mean, right = (WIDTH / 2 * (1 + value / widest * 0.96) for value in (low, middle, high))
    return Markup(
        '<svg class="marks spark change" viewBox="0 0 {width} {height}" role="img" aria-label="{label}">'
        '<path class="zero" d="M{zero} 0V{height}"/><path class="interval" d="M{left} {up}H{right}"/>'
        '<circle class="mean" cx="{mean}" cy="{up}" r="3"/></svg>'
    ).format(
        width=WIDTH,
        height=HEIGHT,
        label=f"{100 * middle:+.1f} %, 95 % interval {100 * low:+.1f} % to {100 * high:+.1f} %",
        zero=WIDTH / 2,
        left=f"{left:.1f}",
        right=f"{right:.1f}",
        mean=f"{mean:.1f}",
        up=HEIGHT / 2,
    )
