"""Registers the UI plugin: the board in the navigation, a tab on DAGs and runs, a widget on the home page.

Every component of Airflow loads this file, and no other file of this package (see `plugins/.airflowignore`).
Only the API server builds the web application.
"""

from __future__ import annotations

import sys
from typing import Any

from airflow.plugins_manager import AirflowPlugin

from jouleboard_airflow import links
from jouleboard_airflow.dag_parts.deadlines import RunCreated

_PREFIX = links.public_prefix()


_SERVES_PAGES = sys.argv[1:2] == ["api-server"]


def _apps() -> list[dict[str, Any]]:
    if not _SERVES_PAGES:
        return []
    from jouleboard_airflow.ui import metrics
    from jouleboard_airflow.ui.web import build_app

    return [
        {"app": build_app(), "url_prefix": links.URL_PREFIX, "name": "Jouleboard"},
        {"app": metrics.build_app(), "url_prefix": links.METRICS_PREFIX, "name": "Jouleboard metrics"},
    ]


def _middlewares() -> list[dict[str, Any]]:
    if not _SERVES_PAGES:
        return []
    from jouleboard_airflow.ui.forms import FormCheck
    from jouleboard_airflow.ui.headers import SecurityHeaders
    from jouleboard_airflow.ui.logins import LoginLimit

    return [
        {"middleware": FormCheck, "name": "Impossible forms are refused"},
        {"middleware": LoginLimit, "name": "Limit of refused logins"},
        {"middleware": SecurityHeaders, "name": "Security headers"},
    ]


class JouleboardPlugin(AirflowPlugin):
    """What the plugin adds to the UI, and the application that serves it."""

    name = "jouleboard"
    deadline_references = [RunCreated]
    fastapi_apps = _apps()
    fastapi_root_middlewares = _middlewares()
    external_views = [
        {
            "name": "Energy",  # the side bar cuts off longer names
            "href": f"{_PREFIX}/",
            "destination": "nav",
            "url_route": links.BOARD_ROUTE,
            "nav_top_level": True,
        },
    ]
    react_apps = [
        {
            "name": "Jouleboard",
            "bundle_url": f"{_PREFIX}/widget.js",
            "destination": "dashboard",
            "url_route": "jouleboard-widget",
        },
        # The frame of an external view could not link to other pages of the UI.
        *(
            {
                "name": "Measurements",
                "bundle_url": f"{_PREFIX}/measurements.js?of={destination}",
                "destination": destination,
                "url_route": route,
            }
            for destination, route in links.TAB_ROUTES.items()
        ),
    ]
