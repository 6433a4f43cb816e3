"""Publication suite: the candidate against what is published now.

A lost configuration, or a figure that moves further than releases move it, may be right: these findings
stop the publication until a person approves it with a reason.
"""

from expectations.suites.checks import Check
from expectations.suites.publication.audit import audit_against_last
from expectations.suites.publication.comparisons import COMPARISONS

__all__ = ["audit_against_last", "publication_checks"]


def publication_checks() -> tuple[Check, ...]:
    """Every check against the last publication, in the order of the reports."""
    return tuple(check for comparison in COMPARISONS for check in comparison.checks)
