"""Addresses of our pages in Airflow's UI, which may run below a path of a proxy."""

from __future__ import annotations

from urllib.parse import urlencode, urlsplit

from airflow.configuration import conf

URL_PREFIX = "/jouleboard"
"""Where the API server mounts our application."""

METRICS_PREFIX = "/jouleboard-metrics"
"""Where Prometheus finds our metrics; an application of its own, as it logs in with a token."""

BOARD_ROUTE = "leaderboard"
"""Part of the address of the board in the navigation, after `plugin/`."""

TAB_ROUTES = {"dag": "measurements", "dag_run": "run-measurements"}
"""Part of the tab's address, after `plugin/`, by where the tab is. They must differ."""


def base_url() -> str:
    """Address of the UI, without a slash at its end."""
    return str(conf.get("api", "base_url", fallback="http://127.0.0.1")).rstrip("/")


def public_prefix() -> str:
    """Path of our application as a browser sees it."""
    return urlsplit(base_url()).path.rstrip("/") + URL_PREFIX


def board() -> str:
    """The board in the navigation."""
    return f"{base_url()}/plugin/{BOARD_ROUTE}"


def row(model_id: str, configuration_id: str) -> str:
    """A row of the board. The page says so if the row is not published yet.

    Airflow shows in the board's frame what follows the route (a path from the host's root).
    """
    asked = urlencode({"model": model_id, "row": configuration_id})
    return f"{board()}{public_prefix()}/?{asked}"
