"""The admin's password is what the environment says, also after it was changed there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from werkzeug.security import check_password_hash, generate_password_hash

from benchmark_tasks.errors import JouleboardError, SettingsError
from jouleboard_airflow.platform.admin import required_password, set_password

PLUGINS = Path(__file__).parents[3] / "plugins"


class Users:
    """FAB's security manager, as far as it is asked."""

    def __init__(self, *, works: bool = True) -> None:
        self.user: Any = None
        self.works = works

    def find_user(self, username: str) -> Any:
        return self.user

    def find_role(self, name: str) -> str:
        return name

    def add_user(self, name: str, first: str, last: str, email: str, role: str, password: str) -> bool:
        if self.works:
            self.user = SimpleNamespace(id=7, password=generate_password_hash(password), role=role)
        return self.works

    def reset_password(self, userid: int, password: str) -> bool:
        assert userid == 7
        if self.works:
            self.user.password = generate_password_hash(password)
        return self.works


def test_a_changed_password_is_the_one_that_opens() -> None:
    users = Users()
    assert set_password(users, "first") == "user admin: created"
    kept = users.user.password
    assert set_password(users, "first") == "user admin: password unchanged"
    assert users.user.password == kept and users.user.role == "Admin"
    assert set_password(users, "second") == "user admin: password changed"
    assert check_password_hash(users.user.password, "second")
    assert not check_password_hash(users.user.password, "first")


def test_the_command_says_what_is_missing() -> None:
    command = [sys.executable, "-m", "jouleboard_airflow.platform.admin"]
    variables = {**os.environ, "ADMIN_PASSWORD": "", "PYTHONPATH": str(PLUGINS)}
    ended = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode != 0
    assert ended.stderr == "error: ADMIN_PASSWORD is empty: set AIRFLOW_ADMIN_PASSWORD in .env\n"


def test_what_cannot_be_set_is_an_error() -> None:
    with pytest.raises(SettingsError, match="AIRFLOW_ADMIN_PASSWORD"):
        required_password({"ADMIN_PASSWORD": ""})
    with pytest.raises(JouleboardError, match="could not be created"):
        set_password(Users(works=False), "first")
    users = Users()
    set_password(users, "first")
    users.works = False
    with pytest.raises(JouleboardError, match="could not be changed"):
        set_password(users, "second")
