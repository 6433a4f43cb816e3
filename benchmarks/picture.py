"""Draws the README's picture from the recorded runs: `make picture`.

The runs of `recorded_runs/` are landed, judged and published in a scratch home, as `jouleboard refresh` does
it; the picture is a figure of that publication's reading.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmark_tasks.results.store import Store
from benchmark_tasks.settings import Settings
from expectations import publications
from expectations.pages.png import write_png
from expectations.refresh import refresh

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "picture.png"
FIGURE = "jouleboard-frontier.svg"
SCALE = 1.5
"""Pixels of the picture per pixel of the figure."""


def main() -> None:
    """Publish the recorded runs and draw the figure."""
    with tempfile.TemporaryDirectory() as scratch:
        settings = Settings(home=Path(scratch))
        store = Store.of(settings)
        for bundle in recorded_bundles():
            store.land_copy(bundle)
        refresh(settings, say=print)
        site = publications.require_current(settings).path / publications.SITE_FOLDER
        write_png((site / "figures" / FIGURE).read_text(), PICTURE, SCALE)
    print(f"{PICTURE.relative_to(ROOT)}: {PICTURE.stat().st_size / 1e3:.0f} kB")


def recorded_bundles() -> list[Path]:
    """The bundles of all campaigns on real GPUs."""
    return sorted(path.parent for path in (ROOT / "recorded_runs").glob("h[12]00-*/*/run.json"))


if __name__ == "__main__":
    main()
