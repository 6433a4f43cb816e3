"""The measuring half installs by itself, small, and measures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from uv import find_uv_bin

import benchmark_tasks
from benchmark_tasks.plan.sweep import Plan
from benchmark_tasks.testing.quick import quick_sweep

REPOSITORY = Path(__file__).parents[2]
CONTROL_PLANE = {"airflow", "dbt", "duckdb", "great_expectations", "torch", "transformers"}


def run(*command: object, **variables: str) -> subprocess.CompletedProcess[str]:
    """A command in an environment that knows nothing of this repository."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "JOULE"))
    }
    return subprocess.run(
        [str(part) for part in command],
        env={**environment, **variables},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


def checked(*command: object, **variables: str) -> str:
    ended = run(*command, **variables)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`bin` of a fresh virtual environment with the built wheel in it."""
    folder = tmp_path_factory.mktemp("standalone")
    uv = find_uv_bin()
    built = run(uv, "build", "--wheel", "--out-dir", folder / "dist", REPOSITORY / "benchmark_tasks")
    if built.returncode and not os.environ.get("CI"):
        pytest.skip(f"needs the package index once: {built.stderr.strip().splitlines()[-1]}")
    assert built.returncode == 0, built.stderr
    [wheel] = (folder / "dist").glob("*.whl")
    checked(uv, "venv", "--python", sys.executable, folder / "venv")
    checked(uv, "pip", "install", "--python", folder / "venv" / "bin" / "python", wheel)
    return folder / "venv" / "bin"


def test_it_brings_nothing_of_the_control_plane(installed: Path) -> None:
    script = "import importlib.metadata as m, json; print(json.dumps([d.name for d in m.distributions()]))"
    names = {
        name.lower().replace("-", "_") for name in json.loads(checked(installed / "python", "-c", script))
    }
    assert "jouleboard_measure" in names
    assert not CONTROL_PLANE & {name.removeprefix("apache_").split("_core")[0] for name in names}
    assert len(names) < 60


def test_it_says_what_it_can_do_here(installed: Path, tmp_path: Path) -> None:
    assert "measure" in checked(installed / "jouleboard", "--help")
    nowhere = {"JOULEBOARD_INDEX_URL": "http://127.0.0.1:9/simple", "JOULEBOARD_HOME": str(tmp_path)}
    ended = run(installed / "jouleboard", "doctor", "--json", **nowhere)
    assert {row["name"] for row in json.loads(ended.stdout)} >= {
        "catalog",
        "GPU",
        "energy counter",
        "runtimes",
    }


def test_it_measures(installed: Path, tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text(Plan(sweeps=(quick_sweep(2),)).model_dump_json())
    said = checked(
        installed / "jouleboard", "measure", "--plan", plan, "--json", JOULEBOARD_HOME=str(tmp_path / "home")
    )
    [landed] = json.loads(said)
    record = json.loads((Path(landed["path"]) / "run.json").read_text())
    assert record["status"] == "completed" and record["requests"]["failed"] == 0
    assert record["provenance"]["runtime_packages"]["jouleboard-measure"] == benchmark_tasks.__version__


def test_what_needs_the_control_plane_says_so_in_one_line(installed: Path, tmp_path: Path) -> None:
    ended = run(installed / "jouleboard", "refresh", JOULEBOARD_HOME=str(tmp_path))
    [line] = ended.stderr.splitlines()
    assert ended.returncode == 1 and "install the control plane" in line


def test_both_distributions_are_one_version_and_agree_on_what_measuring_needs() -> None:
    whole = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    part = tomllib.loads((REPOSITORY / "benchmark_tasks" / "pyproject.toml").read_text())["project"]
    assert whole["dynamic"] == part["dynamic"] == ["version"]  # benchmark_tasks.__version__
    assert whole["license"] == part["license"] == "Apache-2.0"
    assert (REPOSITORY / "LICENSE").read_text() == (REPOSITORY / "benchmark_tasks" / "LICENSE").read_text()
    assert whole["requires-python"] == part["requires-python"]
    assert set(part["dependencies"]) <= set(whole["dependencies"])
    assert part["optional-dependencies"]["datasets"] == whole["optional-dependencies"]["datasets"]
    assert set(part["optional-dependencies"]["prompts"]) <= set(whole["dependencies"])


def test_a_model_is_written_for_a_server_where_only_the_server_s_packages_are() -> None:
    """So `vllm bench serve` runs in `benchmarks/client.py`: the runtime's environment has no orjson."""
    script = "import sys; sys.modules['orjson'] = None; import benchmark_tasks.runtimes.model_files"
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
