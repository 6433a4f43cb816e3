"""The README's picture is there, small, and drawn by the project."""

from __future__ import annotations

import struct
from pathlib import Path

from benchmarks import picture
from expectations.pages.png import write_png

ROOT = Path(__file__).parents[1]
MOST_BYTES = 200_000
PNG = b"\x89PNG\r\n\x1a\n"


def size(path: Path) -> tuple[int, int]:
    """Width and height of a PNG in pixels."""
    content = path.read_bytes()
    assert content.startswith(PNG)
    width, height = struct.unpack(">II", content[16:24])
    return width, height


def test_the_readme_shows_a_small_picture() -> None:
    assert f"]({picture.PICTURE.relative_to(ROOT)})" in (ROOT / "README.md").read_text()
    assert picture.PICTURE.stat().st_size < MOST_BYTES
    width, height = size(picture.PICTURE)
    assert width > 1000
    assert height > 400


def test_a_figure_becomes_a_picture_on_white(tmp_path: Path) -> None:
    svg = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 20" width="40" height="20"></svg>'
    write_png(svg, tmp_path / "picture.png", 1.5)
    assert size(tmp_path / "picture.png") == (60, 30)


def test_it_is_drawn_from_runs_on_real_gpus() -> None:
    bundles = picture.recorded_bundles()
    assert len(bundles) > 100
    assert {bundle.parent.name[:5] for bundle in bundles} == {"h100-", "h200-"}
