"""Mart suite: what the tables of a candidate must satisfy before anybody may read them."""

from expectations.suites.mart import (
    accuracy,
    canaries,
    capacity,
    history,
    law_proof,
    laws,
    leaderboard,
    loads,
    minima,
    presence,
    price_proof,
    prices,
    releases,
    savings,
    surface,
    uncertainty,
    unchanged,
    variance,
    waiting,
)
from expectations.suites.mart.audit import audit_marts
from expectations.suites.mart_check import MartCheck

__all__ = [
    "accuracy_checks",
    "audit_marts",
    "canary_checks",
    "history_checks",
    "law_checks",
    "leaderboard_checks",
    "load_checks",
    "mart_checks",
    "minima_checks",
    "price_checks",
    "release_checks",
    "variance_checks",
]


def leaderboard_checks() -> tuple[MartCheck, ...]:
    """Checks of `leaderboard`."""
    return leaderboard.CHECKS


def minima_checks() -> tuple[MartCheck, ...]:
    """Checks of `min_energy_configurations`."""
    return minima.CHECKS


def history_checks() -> tuple[MartCheck, ...]:
    """Checks of `release_history`."""
    return history.CHECKS


def release_checks() -> tuple[MartCheck, ...]:
    """Checks of `release_summary`."""
    return releases.CHECKS


def canary_checks() -> tuple[MartCheck, ...]:
    """Checks of `release_canaries`, of `canary_savings`, and of the rows for which canaries stand in."""
    return (*canaries.CHECKS, *unchanged.CHECKS, *savings.CHECKS)


def accuracy_checks() -> tuple[MartCheck, ...]:
    """Checks of `joules_per_correct_answer`."""
    return accuracy.CHECKS


def load_checks() -> tuple[MartCheck, ...]:
    """Checks of `energy_under_load`, `serving_capacity` and `waiting_costs`."""
    return (*loads.CHECKS, *capacity.CHECKS, *waiting.CHECKS)


def price_checks() -> tuple[MartCheck, ...]:
    """Checks of `energy_prices` and `energy_price_proof`."""
    return (*prices.CHECKS, *price_proof.CHECKS)


def law_checks() -> tuple[MartCheck, ...]:
    """Checks of `diffusion_energy_surface`, `diffusion_energy_law` and `diffusion_law_proof`."""
    return (*surface.CHECKS, *laws.CHECKS, *law_proof.CHECKS)


def variance_checks() -> tuple[MartCheck, ...]:
    """Checks of `variance_components` and `uncertainty_budget`."""
    return (*variance.CHECKS, *uncertainty.CHECKS)


def mart_checks() -> tuple[MartCheck, ...]:
    """Every check of a mart, in the order of the reports."""
    measured = (*leaderboard.CHECKS, *minima.CHECKS, *history.CHECKS, *releases.CHECKS)
    others = (*canary_checks(), *load_checks(), *accuracy_checks(), *price_checks(), *variance_checks())
    return (*presence.CHECKS, *measured, *others, *law_checks())
