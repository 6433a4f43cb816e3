"""What steps, pixels and frames of an image or video cost: laws fitted to points, and their proof."""

from expectations.laws.families import fitted, left_out
from expectations.laws.law import Fit, Law, NotTold, Point, Range, Term, encloses, fit
from expectations.laws.published import PublishedLaw, best_laws

__all__ = [
    "Fit",
    "Law",
    "NotTold",
    "Point",
    "PublishedLaw",
    "Range",
    "Term",
    "best_laws",
    "encloses",
    "fit",
    "fitted",
    "left_out",
]
