"""The assets by whose events the DAGs start each other."""

from __future__ import annotations

from airflow.sdk import Asset

RAW_RUNS = Asset("raw_runs", uri="x-jouleboard://raw_runs")
"""The landing zone; one event per run of a measuring DAG, however many bundles it landed."""

PUBLISHED_RESULTS = Asset("published_results", uri="x-jouleboard://published_results")
"""Results that others published; one event per import that brought something new."""

DECISIONS = Asset("decisions", uri="x-jouleboard://decisions")
"""What persons decided about published figures; one event per decision."""

LEADERBOARD = Asset("leaderboard", uri="x-jouleboard://leaderboard")
"""The current publication; one event per new publication."""
