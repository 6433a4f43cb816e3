"""What the tasks of the DAGs do, as calls of the same functions as the `jouleboard` command.

DAG files call the modules: `from jouleboard_airflow.tasks import planning`. Their heavy imports are inside
functions, as Airflow reads the DAG files again and again.
"""

from __future__ import annotations

__all__ = [
    "approval",
    "canaries",
    "choices",
    "confirming",
    "contesting",
    "contributing",
    "digest",
    "estimating",
    "judging",
    "models",
    "objectives",
    "planning",
    "releases",
]
