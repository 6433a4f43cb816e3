"""What follows from publications for new measurements: costs of a plan, rechecks of published figures."""

from expectations.history import digest
from expectations.history.costs import Estimate, estimate
from expectations.history.recheck import Comparison, Figure, Verdict, choose, compare, published_figures
from expectations.history.release_news import ReleaseNews, release_news

__all__ = [
    "Comparison",
    "Estimate",
    "Figure",
    "ReleaseNews",
    "Verdict",
    "choose",
    "compare",
    "digest",
    "estimate",
    "published_figures",
    "release_news",
]
