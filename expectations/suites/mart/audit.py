"""Runs the mart suite: DuckDB computes one column per check, Great Expectations compares them."""

from __future__ import annotations

from pathlib import Path

from expectations.gate.auditor import Audit, Auditor
from expectations.publications import attached
from expectations.suites.checks import Level
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
from expectations.suites.mart_check import numeric, select


def audit_marts(auditor: Auditor, candidate: Path) -> Audit:
    """Run the mart suite on a candidate database. A missing mart is the only finding then."""
    audit = Audit()
    with attached(candidate=candidate) as connection:
        for title, subject in (
            ("all marts", presence),
            ("leaderboard", leaderboard),
            ("min_energy_configurations", minima),
            ("release_history", history),
            ("release_summary", releases),
            ("release_canaries", canaries),
            ("leaderboard and canaries", unchanged),
            ("canary_savings", savings),
            ("energy_under_load", loads),
            ("serving_capacity", capacity),
            ("joules_per_correct_answer", accuracy),
            ("waiting_costs", waiting),
            ("energy_prices", prices),
            ("energy_price_proof", price_proof),
            ("variance_components", variance),
            ("uncertainty_budget", uncertainty),
            ("diffusion_energy_surface", surface),
            ("diffusion_energy_law", laws),
            ("diffusion_law_proof", law_proof),
        ):
            sql = select(subject.CHECKS, subject.ROW_NAME_SQL, subject.TABLE)
            frame = numeric(connection.execute(sql).df())
            audit += auditor.audit(Level.MART, title, frame, subject.CHECKS, key=["row_name"])
            if subject is presence and audit.critical:
                return audit
    return audit
