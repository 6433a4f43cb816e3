"""Jouleboard in Airflow: when and where to measure, the UI, and the start and stop of the platform.

Packages and modules, in the order in which they may import each other (a later one imports earlier ones):

- `links`: addresses of our pages in Airflow's UI.
- `gpu_hosts`, `offers`: the fleet, and what it can measure, for the forms.
- `lanes`: the lanes that measuring tasks run in.
- `failures`: how a task fails, and when it is tried again.
- `notifications`: who is told when something breaks.
- `guarded_command`, `operators`: the operator that measures a sweep.
- `tasks`: what the DAGs' tasks do, as calls of benchmark_tasks and expectations.
- `dag_parts`: what DAG files are made of.
- `platform`: start and stop on one machine; a GPU host that joins.
- `upkeep`: backup, restore, housekeeping.
- `ui`, `plugin`: pages in Airflow's UI, and their registration.
- `demo`: the main job from end to end.
"""

from __future__ import annotations

__all__ = [
    "dag_parts",
    "demo",
    "failures",
    "gpu_hosts",
    "guarded_command",
    "lanes",
    "links",
    "notifications",
    "offers",
    "operators",
    "platform",
    "plugin",
    "tasks",
    "ui",
    "upkeep",
]
