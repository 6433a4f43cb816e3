"""One installation of Airflow in `$JOULEBOARD_HOME/airflow`: folders, address, secrets and environment.

airflow/
    airflow.cfg          written at every start, holds the secrets, mode 0600
    secrets.json         made once, mode 0600
    passwords.json       the UI's login, made once, mode 0600
    postgres/            metadata, and the server's programs where needed (`database.py`)
    logs/                of tasks and, under `components/`, of the platform itself
"""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from benchmark_tasks import disk
from benchmark_tasks.errors import SettingsError
from benchmark_tasks.processes import PLATFORM_MARK, beside_proxies
from benchmark_tasks.settings import Settings, environment_path

REPOSITORY = Path(__file__).resolve().parents[3]
USER = "admin"
DEFAULT_PORT = 8080

_NOT_FOR_COMPONENTS = ("AIRFLOW__", "JOULEBOARD_NOTIFY")
"""Configuration is in `airflow.cfg`; the addresses of receivers are for the notifier alone."""

QUIET = {
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    "GX_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "SCARF_NO_ANALYTICS": "true",
}


@dataclass(frozen=True)
class Secrets:
    """Made once per installation, from the operating system's randomness."""

    fernet_key: str
    jwt_secret: str
    api_secret_key: str
    platform_token: str
    database_password: str
    metrics_token: str


@dataclass(frozen=True)
class Installation:
    """Where one Airflow lives and how it is reached; it listens on the loopback interface only.

    database_folder: where the database's files lie, if not where `database.py` puts them.
    dags: folder of the DAG files.
    """

    settings: Settings
    port: int
    database_folder: Path | None = None
    dags: Path = REPOSITORY / "dags"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Installation:
        """Read `JOULEBOARD_HOME`, `JOULEBOARD_PORT`, `JOULEBOARD_DATABASE_FOLDER`, `JOULEBOARD_DAGS_FOLDER`.

        Raises:
            SettingsError: the port is not a number from 1 to 65535, or a path cannot be used.
        """
        text = environment.get("JOULEBOARD_PORT") or str(DEFAULT_PORT)
        if not text.isdigit() or not 0 < int(text) < 65536:
            raise SettingsError(f"JOULEBOARD_PORT={text}: not a port; use a number from 1 to 65535")
        folder = environment_path(environment, "JOULEBOARD_DATABASE_FOLDER")
        dags = environment_path(environment, "JOULEBOARD_DAGS_FOLDER")
        return cls(
            Settings.from_environment(environment),
            int(text),
            folder.resolve() if folder else None,
            (dags or REPOSITORY / "dags").resolve(),
        )

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

    @property
    def metrics_token_file(self) -> Path:
        """The token that Prometheus logs in with, for its `credentials_file`."""
        return self.home / "metrics_token"

    def make_home(self) -> None:
        """Make the folder unless it is there.

        Raises:
            DiskFull: no space.
            SettingsError: it cannot be made, or Airflow would read its name as something else.
        """
        if odd := sorted(set(str(self.settings.home)) & {"$", "%"}):
            raise SettingsError(
                f"JOULEBOARD_HOME={self.settings.home}: Airflow reads {' and '.join(odd)} in its settings "
                "as a variable: name a folder without it"
            )
        try:
            with disk.disk_full_is_an_error(self.settings.home):
                self.home.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(
                f"JOULEBOARD_HOME={self.settings.home} cannot be made ({error.strerror}): name a folder that "
                "you may write"
            ) from error

    def password(self) -> str:
        """The UI's password for `USER`; made on the first call."""
        return _read_or_make(self.password_file, (USER,), lambda: {USER: secrets.token_urlsafe(18)})[USER]

    def secrets(self) -> Secrets:
        """This installation's secrets; made on the first call."""
        names = tuple(secret.name for secret in fields(Secrets))
        return Secrets(**_read_or_make(self.home / "secrets.json", names, _new_secrets))

    def environment(self) -> dict[str, str]:
        """The environment of every component. Secrets are not in it: they stay in `airflow.cfg`."""
        search_path = [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(_NOT_FOR_COMPONENTS)
        }
        return beside_proxies(inherited) | {
            **QUIET,
            "AIRFLOW_HOME": str(self.home),
            "JOULEBOARD_HOME": str(self.settings.home),
            "JOULEBOARD_PORT": str(self.port),
            "PATH": os.pathsep.join(search_path),
            "PYTHONPATH": str(REPOSITORY / "plugins"),
            "PYTHONUNBUFFERED": "1",
            # Airflow renames its processes. Without this the new title overwrites their environment,
            # and the token in it.
            "SPT_NOENV": "1",
            PLATFORM_MARK: self.secrets().platform_token,
        }


def _new_secrets() -> dict[str, str]:
    from cryptography.fernet import Fernet

    return {
        "fernet_key": Fernet.generate_key().decode(),
        "jwt_secret": secrets.token_urlsafe(64),
        "api_secret_key": secrets.token_urlsafe(32),
        "platform_token": secrets.token_hex(16),
        "database_password": secrets.token_urlsafe(32),
        "metrics_token": secrets.token_urlsafe(32),
    }


def _read_or_make(path: Path, names: tuple[str, ...], make: Callable[[], dict[str, str]]) -> dict[str, str]:
    """The values of a file; those that it lacks are made, all of them on the first call."""
    try:
        values: dict[str, str] = json.loads(path.read_text())
    except FileNotFoundError:
        values = {}
    except ValueError as error:
        raise SettingsError(f"{path}: not valid JSON; remove it and start again") from error
    if any(name not in values for name in names):
        values = make() | values
        disk.replace(path, json.dumps(values) + "\n", mode=disk.PRIVATE)
    return values
