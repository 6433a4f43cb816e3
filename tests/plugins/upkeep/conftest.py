"""A home with something of everything that a backup holds."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmark_tasks.results.store import Store
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.samples import sample_run, write_sample
from jouleboard_airflow.platform.installation import Installation
from tests.expectations.publishing import make_candidate, publish
from tests.folders import folder_for_everybody


@pytest.fixture(scope="session")
def candidate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_candidate(tmp_path_factory.mktemp("candidate") / "candidate.duckdb")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that the database's user can reach."""
    with folder_for_everybody() as folder:
        yield folder


@pytest.fixture
def home(filled: Path, tmp_path: Path) -> Installation:
    """An installation that has landed, imported, decided and published; Airflow's database is missing."""
    shutil.copytree(filled, tmp_path / "home", symlinks=True)
    return Installation(Settings(home=tmp_path / "home"), 8080)


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory, candidate: Path) -> Path:
    """The home that tests get a copy of."""
    settings = Settings(home=tmp_path_factory.mktemp("filled") / "home")
    land_one(settings)
    (settings.raw / "lm-arena-chat" / "2026-11" / "no files").mkdir()
    write(settings.imports / "mlenergy-v3" / "abc" / "import.json", "{}")
    (settings.imports / "mlenergy-v3" / "current").symlink_to("abc")
    write(settings.home / "quarantine" / "releases.jsonl", '{"run_id": "x"}\n')
    write(settings.catalog / "housekeeping.yaml", "imports: {earlier: 1}\n")
    write(settings.proposals / "a--b.yaml", "proposal\n")
    write(settings.warehouse / "kept" / "evidence" / "1" / "evidence.parquet", "known\n")
    write(settings.environments / "vllm-1" / "bin" / "python", "gigabytes")
    (settings.environments / "vllm-1.log").touch()
    write(settings.airflow / "logs" / "dag_id=refresh" / "run_id=1" / "attempt=1.log", "log\n")
    write(settings.airflow / "logs" / "components" / "scheduler.log", "of the platform\n")
    write(settings.airflow / "airflow.cfg", "made anew\n", 0o600)
    write(settings.airflow / "passwords.json", json.dumps({"admin": "canary-password"}), 0o600)
    publish(settings, candidate, "first")
    publish(settings, candidate, "second")
    return settings.home


def land_one(settings: Settings) -> Path:
    """Land one more run."""
    elsewhere = settings.home.parent / "elsewhere"
    return Store.of(settings).land_copy(write_sample(elsewhere, sample_run()))


def write(path: Path, text: str, mode: int = 0o644) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def in_child(body: Callable[[], object]) -> int:
    """Run in a forked child; returns its exit code, negative for a signal."""
    child = os.fork()
    if child == 0:
        try:
            body()
        except BaseException as error:  # noqa: BLE001  the parent sees the exit code, the log the error
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
