"""The one request that a GPU host sends to the control plane's Edge API before its worker starts."""

from __future__ import annotations

import logging
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

from benchmark_tasks.errors import ControlPlaneUnreachable

if TYPE_CHECKING:
    from jouleboard_airflow.platform.gpu_host import Worker

_ANSWER_SECONDS = 20.0


async def report_offline(worker: Worker) -> None:
    """Report to the control plane that the last worker of this name has ended; else it refuses a new one.

    Raises:
        ControlPlaneUnreachable: it does not answer, does not know this host's key, or has another version.
    """
    import aiohttp
    import httpx
    from airflow import __version__ as airflow_version
    from airflow.providers.edge3 import __version__ as edge_version
    from airflow.providers.edge3.cli.api_client import worker_set_state
    from airflow.providers.edge3.models.edge_worker import EdgeWorkerState, EdgeWorkerVersionException

    url = worker.control_plane
    try:
        httpx.get(f"{url}/edge_worker/v1/health", timeout=_ANSWER_SECONDS).raise_for_status()
    except httpx.HTTPError as error:
        said = f"{type(error).__name__}: {error}".strip()
        raise ControlPlaneUnreachable(
            f"{url} does not answer like a control plane that GPU hosts can join ({said}): check the address"
        ) from error
    about: dict[str, str | int | float | datetime] = {
        "airflow_version": airflow_version,
        "edge_provider_version": edge_version,
        "status": logging.NOTSET,
        "concurrency": worker.gpus,
        "free_concurrency": worker.gpus,
    }
    try:
        await worker_set_state(worker.name, EdgeWorkerState.OFFLINE, 0, [worker.queue], about)
    except EdgeWorkerVersionException as error:
        raise ControlPlaneUnreachable(
            f"{url} has another version of Airflow or of its Edge provider than this host "
            f"({airflow_version} and {edge_version}): install the same version of Jouleboard on both"
        ) from error
    except aiohttp.ClientResponseError as error:
        if error.status == HTTPStatus.FORBIDDEN:
            raise ControlPlaneUnreachable(
                f"{url} refuses this host's key: JOULEBOARD_WORKER_SECRET must be the same as in its .env, "
                "and the clocks must agree"
            ) from error
        if error.status != HTTPStatus.NOT_FOUND:
            raise ControlPlaneUnreachable(f"{url} answers {error.status}: see its log") from error
