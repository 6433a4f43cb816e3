"""The user `admin` of a control plane with users and roles (FAB), and its password.

`python -m jouleboard_airflow.platform.admin` creates the user, or gives it the password of the variable
ADMIN_PASSWORD. The service `init` of docker-compose.yml runs it at every `docker compose up`: what stands in
`.env` is the password, also after it was changed there. Other users are left as they are.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from benchmark_tasks.errors import JouleboardError, SettingsError
from jouleboard_airflow.platform.installation import USER

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLE = "ADMIN_PASSWORD"
ROLE = "Admin"


def main() -> int:
    """Create the user or set its password; an error is one line on stderr."""
    try:
        password = required_password(os.environ)
        from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder
        from airflow.utils.providers_configuration_loader import providers_configuration_loaded

        with providers_configuration_loaded(get_application_builder)() as builder:
            print(set_password(builder.sm, password))
    except JouleboardError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def required_password(environment: Mapping[str, str]) -> str:
    """The admin's password.

    Raises:
        SettingsError: there is none.
    """
    password = environment.get(VARIABLE, "")
    if not password:
        raise SettingsError(f"{VARIABLE} is empty: set AIRFLOW_ADMIN_PASSWORD in .env")
    return password


def set_password(users: Any, password: str) -> str:
    """Create the user, or change its password if it is another one.

    Args:
        users: FAB's security manager.
        password: the password that is to be valid.

    Returns:
        What was done, without the password.

    Raises:
        JouleboardError: FAB refused.
    """
    from werkzeug.security import check_password_hash

    user = users.find_user(username=USER)
    if user is None:
        role = users.find_role(ROLE)
        if not users.add_user(USER, "Jouleboard", "Admin", "admin@localhost", role, password):
            raise JouleboardError(f"the user {USER} could not be created")
        return f"user {USER}: created"
    if check_password_hash(user.password, password):
        return f"user {USER}: password unchanged"
    if not users.reset_password(user.id, password):
        raise JouleboardError(f"the password of the user {USER} could not be changed")
    return f"user {USER}: password changed"


if __name__ == "__main__":
    sys.exit(main())
