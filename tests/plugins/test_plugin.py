"""What Airflow's own plugin manager loads, in a fresh process of each component."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PLUGINS = Path(__file__).parents[2] / "plugins"
HEAVY = {"great_expectations", "dbt", "duckdb", "pandas", "torch", "pyarrow", "scipy", "zeus"}

_LOAD = """
import json, sys
from pathlib import Path
sys.argv = ["airflow", sys.argv[1]]
folder = Path({folder!r})
before = set(sys.modules)
from airflow import plugins_manager
plugins_manager.ensure_plugins_loaded()
(plugin,) = [one for one in plugins_manager._get_plugins()[0] if one.name == "jouleboard"]
ours = {{
    name: str(Path(module.__file__).relative_to(folder))
    for name, module in sys.modules.items()
    if getattr(module, "__file__", None) and Path(module.__file__).is_relative_to(folder)
}}
print(json.dumps({{
    "errors": plugins_manager.get_import_errors(),
    "apps": len(plugin.fastapi_apps),
    "top_level": [file for name, file in ours.items() if not name.startswith("jouleboard_airflow")],
    "package": sorted(name for name in ours if name.startswith("jouleboard_airflow")),
    "imported": sorted({{name.partition(".")[0] for name in set(sys.modules) - before}}),
}}))
"""


def loaded_by(component: str) -> dict[str, Any]:
    """What the plugin manager of one component loaded."""
    variables = {
        **os.environ,
        "PYTHONPATH": str(PLUGINS),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PLUGINS),
    }
    answer = subprocess.run(
        [sys.executable, "-c", _LOAD.format(folder=str(PLUGINS)), component],
        env=variables,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    loaded: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    return loaded


def test_only_the_registration_is_offered_to_airflow() -> None:
    from airflow._shared.module_loading.file_discovery import find_path_from_directory

    files = [Path(path).relative_to(PLUGINS) for path in find_path_from_directory(PLUGINS, ".airflowignore")]
    assert [str(file) for file in files if file.suffix == ".py"] == ["jouleboard_airflow/plugin.py"]


@pytest.mark.parametrize(("component", "apps"), [("scheduler", 0), ("api-server", 2)])
def test_airflow_loads_the_registration_and_the_web_application_in_the_api_server_only(
    component: str, apps: int
) -> None:
    loaded = loaded_by(component)
    assert loaded["errors"] == {}
    assert loaded["apps"] == apps
    assert loaded["top_level"] == ["jouleboard_airflow/plugin.py"]
    assert ("jouleboard_airflow.ui.web" in loaded["package"]) == bool(apps)
    if component == "scheduler":
        assert set(loaded["package"]) == {
            "jouleboard_airflow",
            "jouleboard_airflow.dag_parts",
            "jouleboard_airflow.dag_parts.deadlines",
            "jouleboard_airflow.links",
        }
        assert HEAVY.isdisjoint(loaded["imported"])
