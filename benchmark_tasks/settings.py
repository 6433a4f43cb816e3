"""Settings: read from the environment once, at the edge, and passed on explicitly."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmark_tasks.errors import SettingsError


@dataclass(frozen=True)
class Settings:
    """Where this installation keeps its state, and what it reads from.

    home: root of all state (`JOULEBOARD_HOME`, default `./var`).
    raw_folder: landing zone that several machines share as a folder (`JOULEBOARD_RAW`, a path).
    raw_url: landing zone in an object store (`JOULEBOARD_RAW`, a URL that fsspec knows).
    index_url: package index to ask for releases (`JOULEBOARD_INDEX_URL`, then pip's and uv's
        own variables; `None` means the public default).
    fleet_platform: platform tag of the newest wheels that the hosts install
        (`JOULEBOARD_FLEET_PLATFORM`, e.g. `manylinux_2_35_aarch64`); `None` means this machine's.
    hub_url: model hub (`HF_ENDPOINT`); `None` means the public default.
    hub_offline: no hub is to be asked (`HF_HUB_OFFLINE`, the hub client's own variable).
    data_sets: folder with copies of data sets, one folder each (`JOULEBOARD_DATA_SETS`,
        `jouleboard data-set` writes them); what is not there comes from the hub.
    runtime_python: an interpreter in which the runtime is installed already
        (`JOULEBOARD_RUNTIME_PYTHON`); then no environment is created.
    runtime_pythonpath: its PYTHONPATH (`JOULEBOARD_RUNTIME_PYTHONPATH`); `{version}` in it is replaced by
        the runtime's version.
    signing_key_file: private key that signs bundles and publications (`JOULEBOARD_SIGNING_KEY`, a file).
    publish_to: PostgreSQL database that publications are copied to (`JOULEBOARD_PUBLISH_TO`); may hold a
        password, so it is never shown or recorded.
    endpoint_key: bearer token for an endpoint (`JOULEBOARD_ENDPOINT_KEY`); never recorded.
    """

    home: Path
    index_url: str | None = None
    fleet_platform: str | None = None
    hub_url: str | None = None
    hub_offline: bool = False
    data_sets: Path | None = None
    runtime_python: Path | None = None
    runtime_pythonpath: str | None = None
    raw_folder: Path | None = None
    raw_url: str | None = None
    signing_key_file: Path | None = None
    publish_to: str | None = field(default=None, repr=False)
    endpoint_key: str | None = field(default=None, repr=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """Read the variables above; paths are read by `environment_path`.

        Raises:
            SettingsError: a URL with credentials in it, or a path that cannot be used.
        """
        if "?" in (environment.get("JOULEBOARD_HOME") or ""):
            raise SettingsError(
                "JOULEBOARD_HOME: DuckDB reads ? in the path of a database as the start of options: "
                "name a folder without it"
            )
        index_url = next(
            (
                environment[name]
                for name in ("JOULEBOARD_INDEX_URL", "UV_DEFAULT_INDEX", "PIP_INDEX_URL")
                if environment.get(name)
            ),
            None,
        )
        raw = environment.get("JOULEBOARD_RAW")
        raw_is_url = raw is not None and "://" in raw
        if raw is not None and raw_is_url and "@" in raw:
            raise SettingsError(
                "JOULEBOARD_RAW contains credentials: remove them from the address, and set them in the "
                "environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, ...)"
            )
        return cls(
            home=environment_path(environment, "JOULEBOARD_HOME") or Path("var").absolute(),
            raw_folder=None if raw_is_url else environment_path(environment, "JOULEBOARD_RAW"),
            raw_url=raw if raw_is_url else None,
            index_url=index_url,
            fleet_platform=environment.get("JOULEBOARD_FLEET_PLATFORM") or None,
            hub_url=environment.get("HF_ENDPOINT") or None,
            hub_offline=environment.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"),
            data_sets=environment_path(environment, "JOULEBOARD_DATA_SETS"),
            runtime_python=environment_path(environment, "JOULEBOARD_RUNTIME_PYTHON"),
            runtime_pythonpath=environment.get("JOULEBOARD_RUNTIME_PYTHONPATH") or None,
            signing_key_file=environment_path(environment, "JOULEBOARD_SIGNING_KEY"),
            publish_to=environment.get("JOULEBOARD_PUBLISH_TO") or None,
            endpoint_key=environment.get("JOULEBOARD_ENDPOINT_KEY") or None,
        )

    @property
    def raw(self) -> Path:
        """Landing zone of measured bundles; with `raw_url`, this machine's copy of it."""
        return self.raw_folder or self.home / "raw"

    @property
    def imports(self) -> Path:
        """Published results of others, as imported."""
        return self.home / "imports"

    @property
    def catalog(self) -> Path:
        """What this installation adds to the shipped catalog."""
        return self.home / "catalog"

    @property
    def proposals(self) -> Path:
        """Proposals of new models of the hub, one file per model."""
        return self.home / "proposals"

    @property
    def warehouse(self) -> Path:
        """Disposable candidates that dbt builds."""
        return self.home / "warehouse"

    @property
    def published(self) -> Path:
        """Numbered publications and the `current` link."""
        return self.home / "published"

    @property
    def keys(self) -> Path:
        """Registry of public keys."""
        return self.home / "keys.json"

    @property
    def signing_key(self) -> Path:
        """Private key that signs bundles and publications."""
        return self.signing_key_file or self.home / ".private" / "signing_key.pem"

    @property
    def environments(self) -> Path:
        """Runtime environments, one per version."""
        return self.home / "environments"

    @property
    def airflow(self) -> Path:
        """AIRFLOW_HOME."""
        return self.home / "airflow"


_NO_PATH = ("Cc", "Cs", "Zl", "Zp")
"""Unicode's categories of control characters, of bytes that are no UTF-8, and of line breaks."""


def environment_path(environment: Mapping[str, str], name: str) -> Path | None:
    """The path in a variable, absolute; None if it is empty. A `~` at its beginning is a user's home.

    A shell replaces `~` only where it is not quoted, and a file of variables never does.

    Raises:
        SettingsError: no text can hold it, or there is no such user.
    """
    value = environment.get(name)
    if not value:
        return None
    _require_text(name, value)
    try:
        return Path(value).expanduser().absolute()
    except RuntimeError as error:
        raise SettingsError(
            f"{name}={value}: no such user; for a folder of that name write ./{value}"
        ) from error


def _require_text(name: str, value: str) -> None:
    """Refuse a path that would break files and messages in which one line names it."""
    if any(unicodedata.category(char) in _NO_PATH for char in value):
        shown = value.encode("unicode_escape", "backslashreplace").decode()
        raise SettingsError(f"{name}={shown}: give a path in UTF-8 without line breaks")
