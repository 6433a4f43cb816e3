"""The packages' order, public names, and what an import brings with it."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

PLUGINS = Path(__file__).parents[2] / "plugins"
ROOT = PLUGINS / "jouleboard_airflow"
ORDER = (
    "links",
    "gpu_hosts",
    "offers",
    "lanes",
    "failures",
    "notifications",
    "guarded_command",
    "operators",
    "tasks",
    "dag_parts",
    "platform",
    "upkeep",
    "ui",
    "plugin",
    "demo",
)
"""Each may import the ones before it, never one after it."""


def imports_of(path: Path) -> set[str]:
    """Packages and modules of this plugin that a file imports, also inside functions."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("jouleboard_airflow."):
            names.add(node.module.split(".")[1])
        if isinstance(node, ast.ImportFrom) and node.module == "jouleboard_airflow":
            names |= {alias.name for alias in node.names}
    return names


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_imports_a_later_package(path: Path) -> None:
    place = path.relative_to(ROOT).parts[0].removesuffix(".py")
    allowed = set(ORDER) if place == "__init__" else set(ORDER[: ORDER.index(place) + 1])
    assert imports_of(path) <= allowed


@pytest.mark.parametrize(
    "package", ["", ".notifications", ".tasks", ".dag_parts", ".platform", ".upkeep", ".ui", ".demo"]
)
def test_public_names_are_what_the_package_has(package: str) -> None:
    module = importlib.import_module(f"jouleboard_airflow{package}")
    folder = Path(str(module.__file__)).parent
    modules = {path.stem for path in folder.glob("*.py") if not path.stem.startswith("__")}
    packages = {path.parent.name for path in folder.glob("*/__init__.py")}
    assert modules | packages <= set(module.__all__)
    others = set(module.__all__) - modules - packages
    assert all(hasattr(module, name) for name in others)


def test_platform_and_its_worker_are_imported_without_airflow() -> None:
    script = (
        "import sys\n"
        "from jouleboard_airflow.platform import api, commands, edge_api, gpu_host, health, prepare, worker\n"
        "sys.exit('airflow' in sys.modules)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", script], env={"PYTHONPATH": str(PLUGINS)}, timeout=60, check=False
    )
    assert answer.returncode == 0
