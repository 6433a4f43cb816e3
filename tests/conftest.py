"""Fixtures that several folders share."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from benchmark_tasks.processes import collect_garbage_rarely
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.hub import ModelHub
from benchmark_tasks.testing.nvml import MadeUpGpu, MadeUpNvml
from benchmark_tasks.testing.package_index import PackageIndex
from benchmarks.published import published_folder
from tests.disks import small_file_system
from tests.object_store import ObjectStore, running_object_store

REPOSITORY = Path(__file__).parents[1]


def pytest_configure(config: pytest.Config) -> None:
    """Set what the tests' programs inherit.

    Airflow reads its environment when it is imported: let it find a home of its own, not the reader's.
    A shell that starts the tests in the background makes them ignore Ctrl+C: what they start must not.
    A test says nothing of time: on a machine in use an example takes as long as it takes.
    """
    hypothesis.settings.register_profile("any machine", deadline=None)
    hypothesis.settings.load_profile("any machine")
    signal.signal(signal.SIGINT, signal.default_int_handler)
    collect_garbage_rarely()
    home = tempfile.mkdtemp(prefix="jouleboard-airflow-")
    config.add_cleanup(lambda: shutil.rmtree(home, ignore_errors=True))
    os.environ |= {
        "AIRFLOW_HOME": home,
        "AIRFLOW__CORE__DAGS_FOLDER": str(REPOSITORY / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPOSITORY / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
    }


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The file that takes longest begins first: it mostly waits; others use the processors meanwhile.

    Then the long ones among the last files, or one process would work on them when the others have ended.
    """
    first = ("test_main_job.py", "test_third_runtime.py", "test_secrets.py")
    items.sort(key=lambda item: first.index(item.path.name) if item.path.name in first else len(first))


@pytest.fixture(scope="module")
def object_store() -> Iterator[ObjectStore]:
    """An S3 server with an empty bucket, for all tests of a file."""
    with running_object_store() as store:
        yield store


@pytest.fixture
def published_v3() -> Path:
    """ML.ENERGY's published results; a test that needs them is skipped where they are not."""
    folder = published_folder()
    if folder is None:
        message = "ML.ENERGY's published results are not here (set JOULEBOARD_PUBLISHED_V3)"
        if os.environ.get("JOULEBOARD_REQUIRE_PUBLISHED_V3") == "1":
            pytest.fail(message)
        pytest.skip(message)
    return folder


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB; needs root."""
    with small_file_system(tmp_path / "disk", "size=256k") as where:
        yield where


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A home of its own, and otherwise nothing said."""
    return Settings(home=tmp_path / "home")


@pytest.fixture
def model_hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelHub]:
    """An empty model hub, the one that the environment names."""
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    with ModelHub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        yield hub


@pytest.fixture
def package_index() -> Iterator[PackageIndex]:
    """An empty package index that answers, in JSON."""
    with PackageIndex() as index:
        index.speaks_json = True
        yield index


@pytest.fixture(scope="session")
def nvml_library(tmp_path_factory: pytest.TempPathFactory) -> MadeUpNvml:
    """The made-up NVML, compiled once."""
    try:
        return MadeUpNvml.build(tmp_path_factory.mktemp("nvml"))
    except RuntimeError as error:
        pytest.skip(str(error))


@pytest.fixture
def nvml(nvml_library: MadeUpNvml, monkeypatch: pytest.MonkeyPatch) -> MadeUpNvml:
    """A machine with one GPU, whose driver is the made-up one, in this process too."""
    import pynvml

    monkeypatch.setattr(pynvml, "nvmlLib", ctypes.CDLL(str(nvml_library.library)))
    monkeypatch.setattr(pynvml, "_nvmlGetFunctionPointer_cache", {})
    for name, value in nvml_library.variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    nvml_library.answer([MadeUpGpu()])
    return nvml_library
