"""Places for labels beside points, without overlap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

FONT = 12
GAP = 9
_LETTER = 0.55  # mean width of a letter of Arial, in font sizes


@dataclass(frozen=True)
class Place:
    """A point in pixels and the text that belongs to it."""

    x: float
    y: float
    text: str


Box = tuple[float, float, float, float]  # left, top, right, bottom
Label = tuple[float, float, str]
"""How far the text lies from its point, in pixels, and how it is aligned there."""

_OFFSETS: tuple[Label, ...] = (
    (GAP, 0, "left"), (-GAP, 0, "right"), (GAP, -GAP, "left"), (GAP, GAP, "left"),
    (-GAP, -GAP, "right"), (-GAP, GAP, "right"), (0, -1.6 * GAP, "center"), (0, 1.6 * GAP, "center"),
)  # fmt: skip


def place_labels(places: Sequence[Place], width: float) -> list[Label]:
    """A label's place for each point: the first of eight that covers no point and no earlier label.

    A label that has none stands at the first place that stays inside the width.
    """
    taken = [_square(place) for place in places]
    labels = []
    for place in places:
        inside = [
            offset for offset in _OFFSETS if _box(place, offset)[0] >= 0 and _box(place, offset)[2] <= width
        ]
        free = (offset for offset in inside if not _covers(_box(place, offset), taken))
        label = next(free, (inside or _OFFSETS)[0])
        taken.append(_box(place, label))
        labels.append(label)
    return labels


def _square(place: Place) -> Box:
    half = GAP / 2
    return place.x - half, place.y - half, place.x + half, place.y + half


def _box(place: Place, label: Label) -> Box:
    dx, dy, align = label
    length = len(place.text) * FONT * _LETTER
    left = place.x + dx - {"left": 0.0, "center": length / 2, "right": length}[align]
    return left, place.y + dy - FONT / 2, left + length, place.y + dy + FONT / 2


def _covers(box: Box, taken: Sequence[Box]) -> bool:
    return any(_overlap(box, other) for other in taken)


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
