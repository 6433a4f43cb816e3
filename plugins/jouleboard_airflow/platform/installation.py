"""One installation of Airflow under `$JOULEBOARD_HOME/airflow`: its configuration, secrets and database.

airflow/
    airflow.cfg          generated at every start, holds the secrets, mode 0600
    secrets.json         made once, mode 0600
    passwords.json       the UI's login, made once, mode 0600
    airflow.db           metadata (SQLite)
    logs/                of tasks and, under `components/`, of the platform itself
"""

from __future__ import annotations

import configparser
import io
import json
import os
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmark_tasks import disk
from benchmark_tasks.errors import SettingsError
from benchmark_tasks.settings import Settings

REPOSITORY = Path(__file__).resolve().parents[3]
USER = "admin"
DEFAULT_PORT = 8080
TOKEN_VARIABLE = "JOULEBOARD_PLATFORM"
"""Environment variable by which the platform recognises every process that descends from it."""

QUIET = {
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    "GX_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "SCARF_NO_ANALYTICS": "true",
    "VLLM_NO_USAGE_STATS": "1",
}
_LOCAL_WORKERS = 4
"""Tasks at a time beside those that hold a GPU; LocalExecutor forks all workers at start."""


@dataclass(frozen=True)
class Secrets:
    """Made once per installation, from the operating system's randomness."""

    fernet_key: str
    jwt_secret: str
    api_secret_key: str
    platform_token: str


@dataclass(frozen=True)
class Installation:
    """Where one Airflow lives and how it is reached; it listens on the loopback interface only."""

    settings: Settings
    port: int

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Installation:
        """Read `JOULEBOARD_HOME` and `JOULEBOARD_PORT`.

        Raises:
            SettingsError: the port is not one.
        """
        text = environment.get("JOULEBOARD_PORT") or str(DEFAULT_PORT)
        if not text.isdigit() or not 0 < int(text) < 65536:
            raise SettingsError(f"JOULEBOARD_PORT={text}: not a port; use a number from 1 to 65535")
        return cls(Settings.from_environment(environment), int(text))

    @property
    def home(self) -> Path:
        """AIRFLOW_HOME."""
        return self.settings.airflow

    @property
    def url(self) -> str:
        """Address of the UI and the API."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def component_logs(self) -> Path:
        """Logs of the platform's own processes."""
        return self.home / "logs" / "components"

    @property
    def password_file(self) -> Path:
        """`{"admin": "<password>"}`."""
        return self.home / "passwords.json"

    def password(self) -> str:
        """The UI's password for `USER`; made on the first call."""
        passwords = _read_or_make(self.password_file, lambda: {USER: secrets.token_urlsafe(18)})
        return passwords[USER]

    def secrets(self) -> Secrets:
        """This installation's secrets; made on the first call."""
        return Secrets(**_read_or_make(self.home / "secrets.json", _new_secrets))

    def write_configuration(self, num_gpus: int, fleet: str = "") -> None:
        """Write `airflow.cfg` anew: settings may have changed, secrets have not.

        num_gpus: GPUs of this machine. fleet: all that there are to measure on (see `gpu_hosts.py`).
        """
        self.component_logs.mkdir(parents=True, exist_ok=True)
        self.password()
        parser = configparser.ConfigParser(interpolation=None)
        parser.read_dict(self._configuration(num_gpus, fleet))
        text = io.StringIO()
        parser.write(text)
        disk.replace(self.home / "airflow.cfg", text.getvalue(), mode=disk.PRIVATE)

    def environment(self) -> dict[str, str]:
        """What every component runs with; secrets stay in `airflow.cfg`, out of every child's environment."""
        search_path = [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW__")}
        return inherited | {
            **QUIET,
            "AIRFLOW_HOME": str(self.home),
            "JOULEBOARD_HOME": str(self.settings.home),
            "JOULEBOARD_PORT": str(self.port),
            "JOULEBOARD_PUBLISHED_V3": str(self.settings.published_v3),
            "PATH": os.pathsep.join(search_path),
            "PYTHONPATH": str(REPOSITORY / "plugins"),
            "PYTHONUNBUFFERED": "1",
            # Airflow renames its processes; without this the new title overwrites their environment,
            # and with it the token by which they are found.
            "SPT_NOENV": "1",
            TOKEN_VARIABLE: self.secrets().platform_token,
        }

    def _configuration(self, num_gpus: int, fleet: str) -> dict[str, dict[str, str]]:
        own = self.secrets()
        return {
            "core": {
                "executor": "LocalExecutor",
                "parallelism": str(_LOCAL_WORKERS + num_gpus),
                "dags_folder": str(REPOSITORY / "dags"),
                "plugins_folder": str(REPOSITORY / "plugins"),
                "load_examples": "False",
                "auth_manager": (
                    "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager"
                ),
                "simple_auth_manager_users": f"{USER}:admin",
                "simple_auth_manager_passwords_file": str(self.password_file),
                "execution_api_server_url": f"{self.url}/execution/",
                "fernet_key": own.fernet_key,
            },
            "database": {
                # Whoever finds the database locked waits for a minute, not for five seconds.
                "sql_alchemy_conn": f"sqlite:///{self.home / 'airflow.db'}?timeout=60",
                "load_default_connections": "False",
            },
            "api": {
                "host": "127.0.0.1",
                "port": str(self.port),
                "base_url": self.url,
                "workers": "1",
                "secret_key": own.api_secret_key,
                "expose_config": "False",
            },
            "api_auth": {"jwt_secret": own.jwt_secret},
            "logging": {"base_log_folder": str(self.home / "logs")},
            "scheduler": {
                # A task whose worker vanished is noticed within a minute instead of five.
                "task_instance_heartbeat_timeout": "60",
                "task_instance_heartbeat_timeout_detection_interval": "10",
            },
            "dag_processor": {"refresh_interval": "60"},
            "jouleboard": {"fleet": fleet},
        }


def _new_secrets() -> dict[str, str]:
    from cryptography.fernet import Fernet

    return {
        "fernet_key": Fernet.generate_key().decode(),
        "jwt_secret": secrets.token_urlsafe(64),
        "api_secret_key": secrets.token_urlsafe(32),
        "platform_token": secrets.token_hex(16),
    }


def _read_or_make(path: Path, make) -> dict[str, str]:
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        values = make()
        path.parent.mkdir(parents=True, exist_ok=True)
        disk.replace(path, json.dumps(values) + "\n", mode=disk.PRIVATE)
        return values
    except ValueError as error:
        raise SettingsError(f"{path}: not valid JSON; remove it and start again") from error
