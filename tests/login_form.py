"""The login form of Airflow with users and roles (FAB), sent as a browser sends it."""

from __future__ import annotations

import re

import httpx


def send_form(client: httpx.Client, username: str, password: str) -> httpx.Response:
    """Open the form, fill it in and send it; the answer, with no redirect followed.

    The form's hidden token belongs to the session of its cookie; behind https the page it came from must be
    named, too. Without these, no password is compared.
    """
    form = client.get("/auth/login/").raise_for_status()
    (token,) = re.findall(r'name="csrf_token"[^>]*\bvalue="([^"]+)"', form.text)
    fields = {"username": username, "password": password, "csrf_token": token}
    return client.post("/auth/login/", data=fields, headers={"Referer": str(form.url)})


def guess_in_the_form(url: str, guesses: int, **options: object) -> list[int]:
    """Status codes of as many logins with a wrong password, each in a session of its own.

    options: of the HTTP client.
    """
    statuses = []
    for guess in range(guesses):
        with httpx.Client(base_url=url, timeout=60, **options) as client:  # type: ignore[arg-type]
            statuses.append(send_form(client, "admin", f"guess {guess}").status_code)
    return statuses
