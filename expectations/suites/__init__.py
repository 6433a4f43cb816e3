"""Suites of checks: per run, across runs, on marts, and against the last publication.

A check is one declaration: its name, severity, reason, tolerance with its source, and what computes the
column that Great Expectations compares with the tolerance.
"""

from expectations.suites.checks import NEVER, Check, GateFinding, Level, Severity, Tolerance

__all__ = ["NEVER", "Check", "GateFinding", "Level", "Severity", "Tolerance"]
