"""Drawings, which a publication often has as the one before had them: kept under what they are made from.

Outside `kept_in` everything is drawn. What is kept has a checksum (`expectations/kept.py`): what is damaged
is drawn again.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from expectations import kept

PACKAGES = ("altair", "vl-convert-python", "Markdown")
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""The renderer ends the whole process when a text has such a character."""
DIGITS = 9
"""Significant digits of the numbers that are drawn. Sums over many rows differ in their last digits from one
build to the next, and the same picture would be drawn again."""


@dataclass(frozen=True)
class _Kept:
    folder: Path
    code: str
    used: set[str] = field(default_factory=set)


_KEPT: ContextVar[_Kept | None] = ContextVar("kept drawings", default=None)


@contextmanager
def kept_in(folder: Path, code: str) -> Iterator[None]:
    """Drawings are taken from a folder, or put there. At the end it has those that were asked for.

    code: changes with all code that a drawing depends on.
    """
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    here = _Kept(folder, " ".join([code, *map(version, PACKAGES)]))
    token = _KEPT.set(here)
    try:
        yield
    finally:
        _KEPT.reset(token)
    with suppress(OSError):
        for path in folder.iterdir():
            if path.name not in here.used:
                path.unlink()


def once(draw: Callable[[], bytes], *made_from: Any) -> bytes:
    """What `draw` gives. made_from: all of its input, as JSON has it, after the name of what it draws."""
    here = _KEPT.get()
    if here is None:
        return draw()
    key = hashlib.sha256(json.dumps([here.code, *made_from]).encode()).hexdigest()
    here.used.add(key)
    drawn = kept.read(here.folder / key)
    if drawn is None:
        drawn = draw()
        kept.keep(drawn, here.folder / key, instead_of=key)
    return drawn


def rounded(value: Any) -> Any:
    """A specification, or a part of it, with its numbers as they are drawn, and texts that XML can hold."""
    if isinstance(value, str):
        return _NOT_IN_XML.sub("\ufffd", value)
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, dict):
        return {rounded(name): rounded(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(part) for part in value]
    return value


def svg_of_vega(specification: dict[str, Any]) -> str:
    """A Vega specification as SVG."""
    import vl_convert

    drawn = rounded(specification)
    return once(lambda: vl_convert.vega_to_svg(drawn).encode(), "vega", drawn).decode()


def svg_of_vega_lite(specification: dict[str, Any]) -> str:
    """A Vega-Lite specification as SVG."""
    import vl_convert

    drawn = rounded(specification)
    return once(lambda: vl_convert.vegalite_to_svg(drawn).encode(), "lite", drawn).decode()


def png_of_svg(svg: str, scale: float) -> bytes:
    """An SVG as PNG. scale: pixels of the picture per pixel of the figure."""
    import vl_convert

    return once(lambda: vl_convert.svg_to_png(svg, scale=scale), "png", svg, scale)
