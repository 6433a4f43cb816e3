"""Airflow's configuration on one machine: `airflow.cfg` of an installation."""

from __future__ import annotations

import configparser
import io

from benchmark_tasks import disk
from jouleboard_airflow.platform.airflow_metrics import metrics_section
from jouleboard_airflow.platform.database import POOL_LIMIT, POOL_SIZE
from jouleboard_airflow.platform.installation import REPOSITORY, USER, Installation

_LOCAL_WORKERS = 4
"""Tasks at a time beside those that use a GPU; LocalExecutor forks all workers at its start."""


def write_configuration(
    installation: Installation, database: str, num_gpus: int, fleet: str = "", gpus_here: str = ""
) -> None:
    """Write `airflow.cfg` anew, mode 0600: settings may have changed; secrets stay the same.

    Args:
        installation: the Airflow to configure.
        database: URL of its metadata database, with the password.
        num_gpus: GPUs of this machine.
        fleet: all GPU hosts, as `gpu_hosts.py` reads them.
        gpus_here: the GPUs of this machine, in the same form.
    """
    installation.component_logs.mkdir(parents=True, exist_ok=True)
    installation.password()
    disk.replace(installation.metrics_token_file, installation.secrets().metrics_token, mode=disk.PRIVATE)
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_dict(_settings(installation, database, num_gpus, fleet, gpus_here))
    text = io.StringIO()
    parser.write(text)
    disk.replace(installation.home / "airflow.cfg", text.getvalue(), mode=disk.PRIVATE)


def _settings(
    installation: Installation, database: str, num_gpus: int, fleet: str, gpus_here: str
) -> dict[str, dict[str, str]]:
    secrets = installation.secrets()
    return {
        "core": {
            "executor": "LocalExecutor",
            "parallelism": str(_LOCAL_WORKERS + num_gpus),
            "dags_folder": str(installation.dags),
            "plugins_folder": str(REPOSITORY / "plugins"),
            "load_examples": "False",
            "auth_manager": (
                "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager"
            ),
            "simple_auth_manager_users": f"{USER}:admin",
            "simple_auth_manager_passwords_file": str(installation.password_file),
            "execution_api_server_url": f"{installation.url}/execution/",
            "fernet_key": secrets.fernet_key,
        },
        "database": {
            "sql_alchemy_conn": database,
            "sql_alchemy_pool_size": str(POOL_SIZE),
            "sql_alchemy_max_overflow": str(POOL_LIMIT - POOL_SIZE),
            "load_default_connections": "False",
        },
        "api": {
            "host": "127.0.0.1",
            "port": str(installation.port),
            "base_url": installation.url,
            "workers": "1",
            "secret_key": secrets.api_secret_key,
            "expose_config": "False",
        },
        "api_auth": {"jwt_secret": secrets.jwt_secret},
        "logging": {"base_log_folder": str(installation.home / "logs")},
        "scheduler": {
            # A task whose worker vanished is noticed within a minute instead of five.
            "task_instance_heartbeat_timeout": "60",
            "task_instance_heartbeat_timeout_detection_interval": "10",
        },
        "workers": {
            # A task outlives an API server that is started again: about four minutes of attempts.
            "execution_api_retries": "30",
            "execution_api_retry_wait_max": "15",
        },
        "dag_processor": {
            "refresh_interval": "60",
            # Reading our DAG files every 30 s takes an eighth of a processor, beside measurements.
            "min_file_process_interval": "120",
        },
        "jouleboard": {"fleet": fleet, "gpus_here": gpus_here, "metrics_token": secrets.metrics_token},
        "metrics": metrics_section(),
    }
