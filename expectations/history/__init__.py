"""What publications say about measurements to come: costs of a plan, and rechecks of published figures."""

from expectations.history.costs import Estimate, estimate
from expectations.history.recheck import Comparison, Figure, Verdict, choose, compare, published_figures

__all__ = [
    "Comparison",
    "Estimate",
    "Figure",
    "Verdict",
    "choose",
    "compare",
    "estimate",
    "published_figures",
]
