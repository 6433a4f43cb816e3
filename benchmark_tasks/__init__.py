"""Measures the energy of generative-AI inference and lands the results.

Runs alone on a GPU host: nothing in this package imports Airflow, dbt or Great Expectations.
Start reading at `run.py`, then `results/schema.py`.
"""

__version__ = "0.2.0"
