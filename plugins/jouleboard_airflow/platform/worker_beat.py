"""The heartbeat of a GPU host's worker, as this host sees it.

Airflow's Edge worker calls `beat` at every heartbeat, before it sends its own to the control plane
(`[edge] extended_system_info_function`): an outage of the control plane is no reason to start it again.
"""

from __future__ import annotations

import os
from pathlib import Path

from jouleboard_airflow.platform import heartbeats
from jouleboard_airflow.platform.service import notify_systemd

BEAT = "worker.beat"
"""In AIRFLOW_HOME of the worker: a file whose time is the last heartbeat."""


async def beat() -> dict[str, str | int | float]:
    """Show that the worker works, here and to systemd. Adds nothing to what the control plane is told."""
    heartbeats.beat(Path(os.environ["AIRFLOW_HOME"]) / BEAT)
    notify_systemd("READY=1\nWATCHDOG=1")
    return {}
