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
    label = f"{100 * middle:+.1f} %, 95 % interval {100 * low:+.1f} % to {100 * high:+.1f} %"
    return Markup(  # numbers only: there is nothing to escape
        f'<svg class="marks spark change" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">'
        f'<path class="zero" d="M{WIDTH / 2} 0V{HEIGHT}"/>'
        f'<path class="interval" d="M{left:.1f} {HEIGHT / 2}H{right:.1f}"/>'
        f'<circle class="mean" cx="{mean:.1f}" cy="{HEIGHT / 2}" r="3"/></svg>'
    )
