"""The limit of refused logins per client, whichever auth manager judges them."""

from __future__ import annotations

import math
import re
import time
from http import HTTPStatus
from typing import TYPE_CHECKING

from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter
from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LIMIT = RateLimitItemPerMinute(10)
"""Refused logins per client address."""

_TOKEN = re.compile(r"/auth/token(/\w+)?/?$")
"""Addresses that compare a password and give a token: every login of Airflow's simple auth manager, and those
of scripts with FAB. FAB's form has a limit of its own (`[fab] auth_rate_limit`)."""


class LoginLimit:
    """ASGI middleware: after too many refused logins a client gets 429, and no password is compared.

    Logins that succeed are never counted: scripts may log in as often as they like. Each API server counts
    for itself.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._refused = MovingWindowRateLimiter(MemoryStorage())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, unless it is one login too many."""
        if scope["type"] != "http" or scope["method"] != "POST" or not _TOKEN.search(scope["path"]):
            await self._app(scope, receive, send)
            return
        client = (scope.get("client") or ("",))[0]
        if not await self._refused.test(LIMIT, client):
            await (await self._too_many(client))(scope, receive, send)
            return

        async def send_and_count(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == HTTPStatus.UNAUTHORIZED:
                await self._refused.hit(LIMIT, client)
            await send(message)

        await self._app(scope, receive, send_and_count)

    async def _too_many(self, client: str) -> JSONResponse:
        window = await self._refused.get_window_stats(LIMIT, client)
        seconds = max(1, math.ceil(window.reset_time - time.time()))
        return JSONResponse(
            {"detail": f"Too many refused logins from your address: try again in {seconds} s."},
            HTTPStatus.TOO_MANY_REQUESTS.value,  # a plain number in the access log
            {"Retry-After": str(seconds)},
        )
