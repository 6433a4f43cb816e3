"""The releases at which Apache Otava sees a change, in the environment of its own that it needs.

Reads a JSON list of series from standard input and writes, for each, the places of its change-points. Run
by `benchmarks.change_points`. It imports nothing of this project, because Otava needs other versions of
NumPy and SciPy than the pins.
"""

from __future__ import annotations

import json
import sys


def main() -> None:
    """Answer for every series, in order."""
    from otava.analysis import compute_change_points

    series = json.load(sys.stdin)
    places = [sorted(int(point.index) for point in compute_change_points(values)[0]) for values in series]
    json.dump(places, sys.stdout)


if __name__ == "__main__":
    main()
