"""The read API of the current publication below `api/v1/`; the login is the application's."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.responses import Response

from benchmark_tasks.settings import Settings
from expectations.api import API_FOLDER, VERSION, answer

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    # Kept by the reader only, and asked for again: the ETag says whether there is a newer publication.
    "Cache-Control": "private, no-cache",
}


def add_api(app: FastAPI, settings: Settings) -> None:
    """Add the addresses of the API."""

    @app.get(f"/{API_FOLDER}/{VERSION}/{{file}}")
    def api(file: str, request: Request) -> Response:
        """A page of a collection, the index, or the OpenAPI description."""
        said = answer(
            settings, file, request.query_params.multi_items(), request.headers.get("If-None-Match", "")
        )
        headers = {**_HEADERS, **said.headers}
        return Response(said.body, said.status, headers, media_type="application/json")
