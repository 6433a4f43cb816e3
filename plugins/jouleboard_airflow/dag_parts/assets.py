"""What the DAGs tell each other about."""

from __future__ import annotations

from airflow.sdk import Asset

RAW_RUNS = Asset("raw_runs", uri="x-jouleboard://raw_runs")
"""The landing zone; one event a benchmark run, however many bundles it landed."""

PUBLISHED_RESULTS = Asset("published_results", uri="x-jouleboard://published_results")
"""Results that others published; one event an import that brought something new."""

LEADERBOARD = Asset("leaderboard", uri="x-jouleboard://leaderboard")
"""The current publication; one event a new one."""
