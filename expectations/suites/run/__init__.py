"""Per-run suite: what a single measured run must satisfy to count. One module per subject."""

from expectations.suites.run import (
    arrivals,
    bundle,
    energy,
    generated,
    grades,
    identity,
    instruments,
    power,
    record,
    requests,
    sleep,
    speculation,
    windows,
)
from expectations.suites.run_check import RunCheck

__all__ = ["run_checks"]

_SUBJECTS = (
    *(bundle, record, identity, requests, generated, windows, arrivals),
    *(speculation, sleep, grades, energy, power, instruments),
)


def run_checks() -> tuple[RunCheck, ...]:
    """Every per-run check, in the order of the reports."""
    return tuple(check for subject in _SUBJECTS for check in subject.CHECKS)
