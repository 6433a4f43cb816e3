"""Registers the UI plugin: the leaderboard in Airflow's navigation.

The one file of this package that Airflow loads by itself (see `plugins/.airflowignore`), in every
component; the web application is built in the API server only.
"""

from __future__ import annotations

import sys
from typing import Any

from airflow.plugins_manager import AirflowPlugin

from jouleboard_airflow.deadlines import RunCreated

URL_PREFIX = "/jouleboard"


def _apps() -> list[dict[str, Any]]:
    if sys.argv[1:2] != ["api-server"]:
        return []
    from jouleboard_airflow.web import build_app

    return [{"app": build_app(), "url_prefix": URL_PREFIX, "name": "Jouleboard"}]


class JouleboardPlugin(AirflowPlugin):
    """Navigation item and the application behind it."""

    name = "jouleboard"
    fastapi_apps = _apps()
    deadline_references = [RunCreated]
    external_views = [
        {
            "name": "Leaderboard",
            "href": f"{URL_PREFIX}/",
            "destination": "nav",
            "url_route": "leaderboard",
            "nav_top_level": True,
        }
    ]
