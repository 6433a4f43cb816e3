"""The web application behind the navigation item, the DAGs' tab and the home page's widget; read-only.

An application that a plugin mounts is public unless it says otherwise, and so are its generated
documentation pages: here every path asks for a login, also those that do not exist. Every endpoint is a
plain function: the server runs it in a thread, and none of them holds up its event loop.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import AccessView, DagAccessEntity
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag, requires_access_view
from fastapi import Depends, FastAPI, HTTPException
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, Response

from benchmark_tasks.settings import Settings
from expectations.publications import CURRENT, SITE_FOLDER
from jouleboard_airflow.ui import overview, pages

SCRIPTS = Path(__file__).parent / "static"

_PAGE_NAME = re.compile(r"[a-z][a-z0-9_-]*\.html")
_FILE_NAME = re.compile(r"leaderboard\.duckdb|manifest\.json|parquet/[a-z][a-z0-9_]*\.parquet")
_PRIVATE = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "private, no-cache",
}
_PUBLISHED = {
    # The page shows text that measured runs brought along. It runs in an origin of its own, without
    # the reader's session and without a network.
    "Content-Security-Policy": (
        "sandbox allow-scripts allow-downloads allow-popups; default-src 'none'; "
        "script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; "
        "img-src data: blob:; font-src data:; frame-ancestors 'self'"
    ),
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
    """The application; `settings` default to the environment of the process."""
    settings = settings or Settings.from_environment()
    app = FastAPI(
        title="Jouleboard",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        dependencies=[Depends(requires_access_view(AccessView.WEBSITE))],
    )

    @app.get("/")
    def leaderboard() -> Response:
        """A frame with the page of the current publication, or one line that says how to get one."""
        names = {page.name for page in (settings.published / CURRENT / SITE_FOLDER).glob("*.html")}
        if "index.html" not in names:
            notice = pages.notice("Nothing is published yet: run the DAG refresh_leaderboard.")
            return HTMLResponse(notice, headers=_NO_SCRIPT)
        return HTMLResponse(pages.shell(names), headers=_SHELL)

    @app.get("/site/{name}")
    def site(name: str) -> Response:
        """The current publication's page, the gate's report or the documentation beside it."""
        page = current_file(settings.published, _PAGE_NAME, name, SITE_FOLDER)
        if page is None:
            raise HTTPException(404, "no such page")
        return HTMLResponse(pages.framed(page.read_text()), headers=_PUBLISHED)

    @app.get("/files/{name:path}")
    def file(name: str) -> Response:
        """A file of the current publication, to be kept."""
        path = current_file(settings.published, _FILE_NAME, name)
        if path is None:
            raise HTTPException(404, "no such file")
        return FileResponse(path, filename=path.name, headers=_PRIVATE)

    @app.get("/status")
    def status(user: GetUserDep) -> Response:
        """What the widget shows; sweeps only of DAGs that the reader may see."""
        allowed = get_auth_manager().get_authorized_dag_ids(user=user)
        return JSONResponse(overview.status(settings, allowed), headers=_PRIVATE)

    @app.get("/{script}.js")
    def script(script: Literal["shell", "widget"]) -> Response:
        """What the pages run with the reader's session."""
        return FileResponse(SCRIPTS / f"{script}.js", media_type="text/javascript", headers=_PRIVATE)

    @app.get("/dags/{dag_id}", dependencies=[Depends(requires_access_dag("GET", DagAccessEntity.RUN))])
    def sweeps(dag_id: str) -> Response:
        """The tab of a DAG: its latest runs, and what each of them measured."""
        return HTMLResponse(pages.sweeps(dag_id, overview.recent_runs(dag_id)), headers=_NO_SCRIPT)

    @app.get("/{path:path}")
    def nothing(path: str) -> Response:
        """What does not exist asks for a login, too."""
        raise HTTPException(404, "no such page")

    return app


def current_file(published: Path, allowed: re.Pattern[str], name: str, folder: str = "") -> Path | None:
    """A file of the current publication, if its name is an allowed one: no path leads out of it."""
    if not allowed.fullmatch(name):
        return None
    file = published / CURRENT / folder / name
    return file if file.is_file() else None


def paths(app: FastAPI) -> list[tuple[str, str, Any]]:
    """Every (method, path, endpoint) of the application, for those who check that all are guarded."""
    return [
        (method, route.path, route.endpoint) for route in app.routes for method in sorted(route.methods or ())
    ]
