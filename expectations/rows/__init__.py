"""From a row of the leaderboard to the bundles that it rests on, and from the bundles to its figures again.

from expectations.rows import explain, find_row, recompute
"""

from expectations.rows.explain import Explained, explain
from expectations.rows.recompute import Figure, Recomputed, recompute
from expectations.rows.row import Row, all_rows, find_row, rows_by_id

__all__ = [
    "Explained",
    "Figure",
    "Recomputed",
    "Row",
    "all_rows",
    "explain",
    "find_row",
    "recompute",
    "rows_by_id",
]
