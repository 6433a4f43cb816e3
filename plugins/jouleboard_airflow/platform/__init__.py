"""Start and stop of Airflow on one machine (`make up`), and a GPU host that joins (`make gpu-worker`).

None of these modules imports Airflow when it is imported: a worker sets its configuration first.
"""

from __future__ import annotations

from jouleboard_airflow.platform.installation import Installation

__all__ = [
    "Installation",
    "api",
    "commands",
    "components",
    "configuration",
    "database",
    "edge_api",
    "gpu_host",
    "health",
    "installation",
    "postgres",
    "prepare",
    "worker",
    "worker_keys",
]
