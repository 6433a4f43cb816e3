"""Homes and other paths as people write them, under any umask."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmark_tasks.errors import SettingsError
from benchmark_tasks.settings import Settings
from jouleboard_airflow.notifications.receivers import Receivers
from jouleboard_airflow.platform.installation import REPOSITORY, Installation

READERS: dict[str, Callable[[dict[str, str]], object]] = {
    "JOULEBOARD_HOME": lambda environment: Settings.from_environment(environment).home,
    "JOULEBOARD_RAW": lambda environment: Settings.from_environment(environment).raw,
    "JOULEBOARD_DATA_SETS": lambda environment: Settings.from_environment(environment).data_sets,
    "JOULEBOARD_RUNTIME_PYTHON": lambda environment: Settings.from_environment(environment).runtime_python,
    "JOULEBOARD_DATABASE_FOLDER": lambda environment: (
        Installation.from_environment(environment).database_folder
    ),
    "JOULEBOARD_DAGS_FOLDER": lambda environment: Installation.from_environment(environment).dags,
}


@pytest.mark.parametrize("name", READERS)
def test_each_path_may_begin_with_a_home_be_relative_or_end_in_a_slash(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    monkeypatch.chdir(tmp_path)
    for value in ("~/data", "~/data/", "me/data", f"{tmp_path}/me/data/"):
        assert READERS[name]({name: value}) == tmp_path / "me" / "data"


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize(
    ("value", "why"),
    [("~nobody-has-this-name/data", "no such user"), ("/two\nlines", "give a path in UTF-8 without")],
)
def test_a_path_that_is_none_is_refused_in_one_line(name: str, value: str, why: str) -> None:
    with pytest.raises(SettingsError, match=rf"^{name}=.*{why}[^\n]*$"):
        READERS[name]({name: value})


def test_a_file_of_receivers_may_begin_with_a_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    os.close(os.open(tmp_path / "receivers", os.O_CREAT, 0o600))
    (tmp_path / "receivers").write_text("json://localhost\n")
    assert Receivers.from_environment({"JOULEBOARD_NOTIFY": "~/receivers"}).addresses == ("json://localhost",)


@pytest.mark.parametrize(
    "command",
    [
        [
            "benchmark_tasks.cli",
            "land",
            str(next(REPOSITORY.glob("recorded_runs/h200-2026-11-26-multimodal/*"))),
        ],
        ["jouleboard_airflow.platform", "down"],
    ],
)
def test_others_may_write_nothing_whatever_the_umask(tmp_path: Path, command: list[str]) -> None:
    home = tmp_path / "home"
    variables = {"JOULEBOARD_HOME": str(home), "PYTHONPATH": str(REPOSITORY / "plugins")}
    subprocess.run(
        [sys.executable, "-m", *command], env=os.environ | variables, umask=0, check=True, timeout=60
    )
    made = [path for path in (home, *home.rglob("*")) if not path.is_symlink()]
    assert len(made) > 1
    assert [path for path in made if path.stat().st_mode & stat.S_IWOTH] == []
