"""A figure's SVG as a picture."""

from __future__ import annotations

from pathlib import Path

from expectations.pages.drawings import png_of_svg


def write_png(svg: str, picture: Path, scale: float) -> None:
    """Write a figure as PNG on white. scale: pixels of the picture per pixel of the figure."""
    picture.write_bytes(png_of_svg(_on_white(svg), scale))


def _on_white(svg: str) -> str:
    """The figure has no ground of its own: a page gives it one, a picture does not."""
    start = svg.index(">", svg.index("<svg")) + 1
    return f'{svg[:start]}<rect width="100%" height="100%" fill="#ffffff"/>{svg[start:]}'
