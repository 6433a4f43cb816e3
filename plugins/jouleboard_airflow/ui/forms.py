"""Forms that come over the API, from a script or from the UI: impossible ones are refused before a run."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Callable, Mapping
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.base_auth_manager import COOKIE_NAME_JWT_TOKEN
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import resolve_user_from_token
from fastapi import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from benchmark_tasks.errors import JouleboardError
from jouleboard_airflow.tasks import choices, contesting, contributing, objectives

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from benchmark_tasks.catalog import Catalog

log = logging.getLogger(__name__)

_TRIGGER = re.compile(r"/api/v2/dags/([^/]+)/dagRuns/?$")
"""Addresses that make a run of a DAG."""


def _release(params: Mapping[str, Any], catalog: Catalog) -> list[choices.Misfit]:
    """A new revision that no person asked for here is nothing to measure: its run is skipped, not refused."""
    return [] if params.get("revision") else choices.release(params, catalog)


CHECKS: Mapping[str, Callable[[Mapping[str, Any], Catalog], list[choices.Misfit]]] = {
    "benchmark_on_demand": choices.on_demand_here,
    "benchmark_release": _release,
    "recheck": lambda params, _: choices.with_gpu_model(params, choices.RECHECK),
    "rotation": lambda params, _: choices.with_gpu_model(params, choices.ROTATION),
    "confirm_changes": lambda params, _: choices.with_gpu_model(params, choices.CONFIRM),
    "contest_change": lambda params, _: contesting.misfits(params),
    "set_objective": lambda params, _: objectives.misfits(params),
    "import_contribution": lambda params, _: contributing.misfits(params),
    "import_published_results": lambda params, _: choices.of_import(params),
}
"""The impossible fields of a form, by DAG. They ask this machine only: no answer waits for a network."""


class FormCheck:
    """ASGI middleware: a form that asks for something impossible gets 400 and the names of its fields.

    Airflow checks each field by itself, and has no hook for fields that are impossible together. Whoever may
    not trigger the DAG gets Airflow's own answer. What cannot be judged here is passed on: the first task of
    the run judges every form, however it came.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, unless it is an impossible form."""
        is_post = scope["type"] == "http" and scope["method"] == "POST"
        trigger = _TRIGGER.search(scope["path"]) if is_post else None
        if trigger is None or trigger[1] not in CHECKS:
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        body = await request.body()
        if await _may_trigger(request, trigger[1]):
            refused = await asyncio.to_thread(_impossible, request.app.state.dag_bag, trigger[1], body)
            if refused:
                answer = JSONResponse({"detail": refused}, HTTPStatus.BAD_REQUEST.value)
                await answer(scope, receive, send)
                return
        await self._app(scope, _again(body, receive), send)


def _again(body: bytes, receive: Receive) -> Receive:
    """What receives a body that was read already, and then what comes after it."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return messages.pop() if messages else await receive()

    return receive_again


async def _may_trigger(request: Request, dag_id: str) -> bool:
    """Whether the request comes from somebody who may trigger the DAG."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        token = request.cookies.get(COOKIE_NAME_JWT_TOKEN, "")
    try:
        user = await resolve_user_from_token(token)
    except HTTPException:
        return False
    is_authorized = partial(
        get_auth_manager().is_authorized_dag,
        method="POST",
        access_entity=DagAccessEntity.RUN,
        details=DagDetails(id=dag_id),
        user=user,
    )
    return await asyncio.to_thread(is_authorized)


def _impossible(dag_bag: Any, dag_id: str, body: bytes) -> str | None:
    """What is impossible in a form, field by field; None if nothing is, or if Airflow refuses it itself."""
    from airflow.exceptions import ParamValidationError

    from benchmark_tasks.catalog import load
    from benchmark_tasks.settings import Settings

    try:
        params = _params(dag_bag, dag_id, json.loads(body).get("conf") or {})
        if params is not None:
            choices.require_possible(
                CHECKS[dag_id](params, load(overlay=Settings.from_environment().catalog))
            )
    except choices.Impossible as error:
        return str(error)
    except (ParamValidationError, ValueError, TypeError, AttributeError, KeyError, JouleboardError) as error:
        log.info("the form of %s is judged by its run: %r", dag_id, error)
    return None


def _params(dag_bag: Any, dag_id: str, conf: Mapping[str, Any]) -> dict[str, Any] | None:
    """The fields of a form as its run would have them; None if there is no such DAG.

    Raises:
        ParamValidationError: a field is impossible by itself.
    """
    from airflow.utils.session import create_session

    with create_session() as session:
        dag = dag_bag.get_latest_version_of_dag(dag_id, session=session)
        return None if dag is None else dict(dag.params.deep_merge(conf).validate())
