"""The web application of the navigation item, the tab of a DAG and the widget on the home page; read-only.

An application that a plugin mounts is public by default, and so are its generated documentation pages.
Here every path asks for a login, also a path that does not exist. Every endpoint is a plain function: the
server runs it in a thread, and so none of them blocks the event loop.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import AccessView, DagAccessEntity
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag, requires_access_view
from fastapi import Depends, FastAPI, HTTPException
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from benchmark_tasks.settings import Settings
from expectations.board.addresses import EXPLORER
from expectations.publications import CURRENT, SITE_FOLDER
from jouleboard_airflow.ui import figures, opening, overview, pages
from jouleboard_airflow.ui.api import add_api

_NOTHING_PUBLISHED = "Nothing is published yet. The DAG refresh_leaderboard publishes what is measured."
_PAGE_NAME = opening.PAGE
_FILE_NAME = re.compile(
    r"leaderboard\.duckdb|manifest\.json|parquet/[a-z][a-z0-9_]*\.parquet"
    r"|api/v1/[a-z]+\.json|site/figures/(models/)?[a-z0-9-][a-z0-9._-]*\.(svg|png|csv)|site/(feed\.xml|llms\.txt)"
)
_PRIVATE = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "private, no-cache",
}
_PUBLISHED = {
    # The page shows text from measured runs. It runs in an origin of its own, without the reader's session
    # and without a network.
    "Content-Security-Policy": (
        "sandbox allow-scripts allow-downloads allow-popups; default-src 'none'; "
        "script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
        "img-src data: blob:; font-src data:; frame-ancestors 'self'"
    ),
    **_PRIVATE,
}
_DOCUMENTATION = "dbt_docs.html"
"""dbt's own page: its script compiles templates, so it needs `unsafe-eval`. No page of ours does."""
_PICTURE = {
    "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'",
    **_PRIVATE,
}
_SHELL = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; frame-src 'self'; "
        "frame-ancestors 'self'"
    ),
    **_PRIVATE,
}
_NO_SCRIPT = {
    "Content-Security-Policy": (
        "sandbox; default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'"
    ),
    **_PRIVATE,
}


def build_app(settings: Settings | None = None) -> FastAPI:
    """The application. `settings`: by default those of the process's environment."""
    settings = settings or Settings.from_environment()
    app = FastAPI(
        title="Jouleboard",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        dependencies=[Depends(requires_access_view(AccessView.WEBSITE))],
    )
    _add_publication(app, settings)
    _add_runs(app, settings)
    add_api(app, settings)

    @app.get("/{script}.js")
    def script(script: Literal["shell", "widget", "measurements", "parts"]) -> Response:
        """A script that runs with the reader's session."""
        return FileResponse(pages.STATIC / f"{script}.js", media_type="text/javascript", headers=_PRIVATE)

    @app.get("/{path:path}")
    def unknown(path: str) -> Response:  # noqa: ARG001 - the route names it
        """A path that does not exist asks for a login, too."""
        raise HTTPException(404, "no such page")

    return app


def _add_publication(app: FastAPI, settings: Settings) -> None:
    """The addresses of the current publication: its pages and files."""
    site_folder = settings.published / CURRENT / SITE_FOLDER

    @app.get("/")
    def leaderboard(model: str | None = None, row: str | None = None, page: str | None = None) -> Response:
        """A frame with the pages of the current publication; before the first one, how to get it.

        It opens at a row (`model` and `row`), at a page, or at the explorer.
        """
        names = {file.name for file in site_folder.glob("*.html")}
        if EXPLORER not in names:
            return HTMLResponse(pages.notice(_NOTHING_PUBLISHED), headers=_NO_SCRIPT)
        opened = opening.opened(settings, model=model, row=row, page=page)
        return HTMLResponse(pages.shell(names, opened), headers=_SHELL)

    @app.get("/site/{name:path}")
    def site(name: str, user: GetUserDep) -> Response:
        """The current publication's page, the gate's report or the documentation beside it."""
        page = current_file(settings.published, _PAGE_NAME, name, SITE_FOLDER)
        if page is None:
            text = f"The current publication has no page {name}. It may be of an earlier version of the site."
            return HTMLResponse(pages.notice(text), status_code=404, headers=_NO_SCRIPT)
        text = page.read_text()
        runs = {}
        if sweeps := pages.sweeps_in(text):
            runs = overview.runs_of_sweeps(sweeps, get_auth_manager().get_authorized_dag_ids(user=user))
        return HTMLResponse(pages.framed(text, site_folder, runs), headers=_published(name))

    @app.get("/files/{name:path}")
    def file(name: str) -> Response:
        """A file of the current publication, as a download."""
        path = current_file(settings.published, _FILE_NAME, name)
        if path is None:
            raise HTTPException(404, "no such file")
        return FileResponse(path, filename=path.name, headers=_PRIVATE)


def _add_runs(app: FastAPI, settings: Settings) -> None:
    """The addresses of runs of Airflow: what the widget and the tabs show of them."""

    @app.get("/status")
    def status(user: GetUserDep) -> Response:
        """What the widget shows; it names only sweeps of DAGs that the reader may see."""
        allowed = get_auth_manager().get_authorized_dag_ids(user=user)
        return JSONResponse(overview.status(settings, allowed), headers=_PRIVATE)

    @app.get("/dags/{dag_id}", dependencies=[Depends(requires_access_dag("GET", DagAccessEntity.RUN))])
    def runs(dag_id: str, run_id: str | None = None) -> Response:
        """What the tab of a DAG or of a run shows: runs, their sweeps, and their rows of the leaderboard."""
        return JSONResponse(overview.measurements(settings, dag_id, run_id), headers=_PRIVATE)

    @app.get(
        "/dags/{dag_id}/figure.svg", dependencies=[Depends(requires_access_dag("GET", DagAccessEntity.RUN))]
    )
    def figure(dag_id: str, run_id: str | None = None) -> Response:
        """The published rows of these runs as a figure."""
        drawn = figures.draw(overview.published(overview.recent_runs(settings, dag_id, run_id)))
        if drawn is None:
            raise HTTPException(404, "nothing of it is published")
        return Response(drawn, media_type="image/svg+xml", headers=_PICTURE)


def current_file(published: Path, allowed: re.Pattern[str], name: str, folder: str = "") -> Path | None:
    """A file of the current publication; None unless its name has an allowed form (so no path leads out)."""
    if not allowed.fullmatch(name):
        return None
    file = published / CURRENT / folder / name
    return file if file.is_file() else None


def _published(name: str) -> dict[str, str]:
    """Headers of a publication's page."""
    if name != _DOCUMENTATION:
        return _PUBLISHED
    name_of_policy = "Content-Security-Policy"
    policy = _PUBLISHED[name_of_policy].replace("'unsafe-inline';", "'unsafe-inline' 'unsafe-eval';", 1)
    return {**_PUBLISHED, name_of_policy: policy}


def paths(app: FastAPI) -> list[tuple[str, str, Callable[..., Any]]]:
    """Every (method, path, endpoint) of the application; tests check that each of them asks for a login."""
    routes = [route for route in app.routes if isinstance(route, Route)]
    return [
        (method, route.path, route.endpoint) for route in routes for method in sorted(route.methods or ())
    ]
