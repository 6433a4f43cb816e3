"""What DAG files are made of: assets, deadlines, forms, schedules, and the wiring of measuring DAGs.

DAG files call the modules: `from jouleboard_airflow.dag_parts import forms, measuring`.
"""

from __future__ import annotations

__all__ = ["assets", "deadlines", "forms", "measuring", "schedules"]
