"""Registers the UI plugin: the leaderboard in the navigation, a tab on the DAGs, a widget on the home page.

Every component of Airflow loads this file, and no other file of this package (see `plugins/.airflowignore`).
Only the API server builds the web application.
"""

from __future__ import annotations

import sys
from typing import Any
from urllib.parse import urlsplit

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin

from jouleboard_airflow.dag_parts.deadlines import RunCreated

URL_PREFIX = "/jouleboard"
PUBLIC_PREFIX = urlsplit(conf.get("api", "base_url", fallback="/")).path.rstrip("/") + URL_PREFIX
"""As a browser sees it: Airflow may run behind a proxy, below a path."""


def _apps() -> list[dict[str, Any]]:
    if sys.argv[1:2] != ["api-server"]:
        return []
    from jouleboard_airflow.ui.web import build_app

    return [{"app": build_app(), "url_prefix": URL_PREFIX, "name": "Jouleboard"}]


class JouleboardPlugin(AirflowPlugin):
    """What the plugin adds to the UI, and the application that serves it."""

    name = "jouleboard"
    deadline_references = [RunCreated]
    fastapi_apps = _apps()
    external_views = [
        {
            "name": "Energy",  # the side bar cuts off longer names
            "href": f"{PUBLIC_PREFIX}/",
            "destination": "nav",
            "url_route": "leaderboard",
            "nav_top_level": True,
        },
        {
            "name": "Sweeps",
            "href": f"{PUBLIC_PREFIX}/dags/{{DAG_ID}}",
            "destination": "dag",
            "url_route": "sweeps",
        },
    ]
    react_apps = [
        {
            "name": "Jouleboard",
            "bundle_url": f"{PUBLIC_PREFIX}/widget.js",
            "destination": "dashboard",
            "url_route": "jouleboard-widget",
        }
    ]
