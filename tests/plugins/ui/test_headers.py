"""Every answer has the security headers; a page that sets one keeps its own."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse
from fastapi.testclient import TestClient

from jouleboard_airflow.ui.headers import DEFAULTS, SecurityHeaders


def test_pages_get_the_headers_that_they_do_not_set_and_errors_get_all() -> None:
    app = FastAPI()
    app.add_middleware(SecurityHeaders)
    own = "sandbox; default-src 'none'"

    @app.get("/own")
    def page() -> PlainTextResponse:
        return PlainTextResponse("", headers={"content-security-policy": own})

    client = TestClient(app)
    answered = client.get("/own").headers
    expected = {name: own if name == "Content-Security-Policy" else value for name, value in DEFAULTS.items()}
    assert {name: answered[name] for name in DEFAULTS} == expected
    missing = client.get("/not-there")
    assert missing.status_code == 404
    assert {name: missing.headers[name] for name in DEFAULTS} == DEFAULTS
    assert "frame-ancestors 'self'" in missing.headers["Content-Security-Policy"]
