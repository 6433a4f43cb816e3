"""A revision that changes what is measured is due once; a better description is not."""

from __future__ import annotations

import pytest

from benchmark_tasks.catalog import Catalog, load
from benchmark_tasks.errors import IndexUnreachable
from benchmark_tasks.releases import proposals, revisions
from benchmark_tasks.releases.hub import Hub
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.hub import Model, ModelHub
from tests.benchmark_tasks.releases.hub_samples import add_dense

WATCHED = "Qwen/Qwen3-8B"


@pytest.fixture
def model(server: ModelHub) -> Model:
    return add_dense(server, WATCHED)


def small(settings: Settings) -> Catalog:
    """The installation's catalog with few of the shipped models."""
    catalog = load(overlay=settings.catalog)
    kept = {
        name: model
        for name, model in catalog.models.items()
        if name in (WATCHED, "Qwen/Qwen3-9B", "Qwen/Qwen3-14B")
    }
    return catalog.model_copy(update={"models": kept})


def look(settings: Settings) -> tuple[list[tuple[str, str]], list[str]]:
    due, lines = revisions.watch(Hub(settings), small(settings), settings)
    return [(one.model.model_id, one.revision) for one in due], lines


def test_what_is_there_when_watching_begins_is_not_due(settings: Settings, model: Model) -> None:
    due, lines = look(settings)
    assert due == []
    assert f"{WATCHED}: watched from revision {model.revision[:12]} on" in lines
    assert load(overlay=settings.catalog).model(WATCHED).revision == model.revision


def test_a_new_revision_is_due_for_ever_and_is_what_is_measured(settings: Settings, model: Model) -> None:
    look(settings)
    model.commit(**{"config.json": b"{}"})
    for _ in range(2):
        assert look(settings)[0] == [(WATCHED, model.revision)]
    catalog = load(overlay=settings.catalog)
    assert catalog.model(WATCHED).revision == model.revision
    assert catalog.content_hash != load().content_hash


def test_a_better_description_is_not_due(server: ModelHub, settings: Settings, model: Model) -> None:
    look(settings)
    first = model.revision
    model.commit(**{"README.md": b"better"})
    due, lines = look(settings)
    assert due == []
    assert any("only its description changed" in line for line in lines)
    assert load(overlay=settings.catalog).model(WATCHED).revision == first
    server.asked.clear()
    look(settings)
    assert [request for request in server.asked if WATCHED in request] == [
        f"GET /api/models/{WATCHED}?expand=sha"
    ]


def test_of_several_revisions_while_nobody_looked_the_last_is_due(settings: Settings, model: Model) -> None:
    look(settings)
    for number in range(3):
        model.commit(**{"config.json": str(number).encode()})
    assert look(settings)[0] == [(WATCHED, model.revision)]
    measured = model.revision
    model.commit(**{"README.md": b"and then words"})
    assert look(settings)[0] == [(WATCHED, measured)]


def test_an_accepted_model_is_due_at_the_revision_that_was_shown(
    server: ModelHub, settings: Settings
) -> None:
    new = add_dense(server)
    catalog = load()
    assert catalog.watch.hub is not None
    proposals.propose(new.model_id, Hub(settings), catalog, catalog.watch.hub, settings)
    proposals.accept(new.model_id, settings, by="ann")
    assert look(settings)[0] == [(new.model_id, new.revision)]


def test_a_model_that_is_gone_does_not_keep_the_others(settings: Settings, model: Model) -> None:
    _, lines = look(settings)
    assert any(line.startswith("revision not known: Qwen/Qwen3-14B: ") for line in lines)
    model.commit(**{"config.json": b"{}"})
    assert look(settings)[0] == [(WATCHED, model.revision)]


def test_an_unreachable_hub_loses_nothing(server: ModelHub, settings: Settings, model: Model) -> None:
    look(settings)
    first = model.revision
    model.commit(**{"config.json": b"{}"})
    server.faults["/api/models"] = 500
    with pytest.raises(IndexUnreachable):
        look(settings)
    assert load(overlay=settings.catalog).model(WATCHED).revision == first
    server.faults.clear()
    assert look(settings)[0] == [(WATCHED, model.revision)]


def test_models_with_weights_of_our_own_are_not_on_the_hub() -> None:
    watched = {model.model_id for model in revisions.watched(load())}
    assert "jouleboard/qwen3-tiny" not in watched
    assert "black-forest-labs/FLUX.1-dev" not in watched
    assert WATCHED in watched
