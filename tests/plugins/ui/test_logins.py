"""Too many refused logins of a client are answered with 429; others, and good passwords, are not."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from fastapi import FastAPI, HTTPException

from jouleboard_airflow.ui.logins import LIMIT, LoginLimit

compared: list[str] = []


@pytest.fixture
def app() -> FastAPI:
    app = FastAPI()
    app.add_middleware(LoginLimit)
    compared.clear()

    @app.post("/auth/token", status_code=201)
    @app.post("/auth/token/cli", status_code=201)
    async def token(password: str) -> str:
        compared.append(password)
        if password != "right":
            raise HTTPException(401, "Invalid credentials")
        return "token"

    @app.post("/api/v2/refused")
    async def refused() -> None:
        raise HTTPException(401)

    return app


def ask(app: FastAPI, *paths: str, client: str = "192.0.2.1") -> list[httpx.Response]:
    """The answers to these POST requests, one after the other."""

    async def answers() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app, client=(client, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://board") as asked:
            return [await asked.post(path) for path in paths]

    return asyncio.run(answers())


RIGHT, WRONG, CLI = (
    "/auth/token?password=right",
    "/auth/token?password=wrong",
    "/auth/token/cli?password=wrong",
)


@pytest.mark.parametrize("path", [WRONG, CLI])
def test_a_client_that_guesses_is_told_when_to_come_back_and_no_password_is_compared(
    app: FastAPI, path: str
) -> None:
    answers = ask(app, *[path] * LIMIT.amount, RIGHT)
    assert [answer.status_code for answer in answers] == [401] * LIMIT.amount + [429]
    assert "right" not in compared
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 60
    assert answers[-1].headers["Retry-After"] in answers[-1].json()["detail"]


def test_both_addresses_share_one_limit_and_another_client_has_its_own(app: FastAPI) -> None:
    ask(app, *[WRONG, CLI] * (LIMIT.amount // 2))
    assert [answer.status_code for answer in ask(app, WRONG, CLI)] == [429, 429]
    assert [answer.status_code for answer in ask(app, RIGHT, client="192.0.2.2")] == [201]


def test_good_passwords_and_other_refusals_are_not_counted(app: FastAPI) -> None:
    answers = ask(app, *[RIGHT, "/api/v2/refused"] * (LIMIT.amount + 1), *[WRONG] * (LIMIT.amount - 1), RIGHT)
    assert answers[-1].status_code == 201
