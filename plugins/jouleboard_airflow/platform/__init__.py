"""Start, supervision and stop of Airflow on one machine, and a GPU host that joins (`make gpu-worker`).

None of these modules imports Airflow when it is imported: a worker sets its configuration first.
"""

from __future__ import annotations

from jouleboard_airflow.platform.installation import Installation

__all__ = [
    "Installation",
    "admin",
    "airflow_metrics",
    "api",
    "commands",
    "components",
    "configuration",
    "container_health",
    "database",
    "disk_space",
    "edge_api",
    "gpu_host",
    "health",
    "heartbeats",
    "installation",
    "notifier",
    "postgres",
    "prepare",
    "service",
    "status",
    "supervisor",
    "watch",
    "worker",
    "worker_beat",
    "worker_keys",
]
