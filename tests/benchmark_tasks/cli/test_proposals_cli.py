"""`jouleboard proposals`: what a person does without Airflow."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from benchmark_tasks.testing.hub import ModelHub
from tests.benchmark_tasks.releases.hub_samples import QWEN3_8B, add_dense, add_moe

NEW = "Qwen/Qwen3-9B"

Jouleboard = Callable[..., tuple[int, str, str]]


@pytest.fixture
def hub(model_hub: ModelHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelHub:
    monkeypatch.setenv("JOULEBOARD_HOME", str(tmp_path))
    return model_hub


@pytest.fixture
def jouleboard(hub: ModelHub, jouleboard: Jouleboard) -> Jouleboard:
    return partial(jouleboard, "proposals")


def test_from_found_to_measured(hub: ModelHub, jouleboard: Jouleboard) -> None:
    add_dense(hub, config=QWEN3_8B | {"torch_dtype": "float16"})
    add_moe(hub)
    code, out, _ = jouleboard("find")
    assert code == 0
    assert [line.split()[:2] for line in out.splitlines()] == [
        ["proposed", NEW],
        ["proposed", "Qwen/Qwen3-31B-A3B"],
    ]
    _, out, _ = jouleboard("show", NEW)
    assert "weight_precision         not known   [config.json: float16; the server runs in bfloat16]" in out
    code, out, err = jouleboard("accept", NEW)
    assert (code, out) == (1, "")
    assert err.startswith(f"error: {NEW}: not known: weight_precision (config.json: float16")
    assert (
        jouleboard("accept", NEW, "--set", "weight_precision=bfloat16", "--why", "asked its makers")[0] == 0
    )
    assert jouleboard("reject", "Qwen/Qwen3-31B-A3B", "--why", "too large")[0] == 0
    found = {one["model_id"]: one for one in json.loads(jouleboard("list", "--json")[1])}
    assert found[NEW]["decision"]["given"] == {"weight_precision": "bfloat16"}
    assert jouleboard("list", "--state", "rejected")[1].split()[:2] == ["rejected", "Qwen/Qwen3-31B-A3B"]


def test_trouble_with_one_does_not_keep_the_others(hub: ModelHub, jouleboard: Jouleboard) -> None:
    for name in ("gated", "fine", "torn"):
        add_dense(hub, f"Qwen/{name}")
    hub.gated.add("Qwen/gated")
    hub.models["Qwen/torn"].commit(**{"config.json": b'{"architectures": ["Qw'})
    code, out, err = jouleboard("find")
    assert code == 1
    assert out.split()[:2] == ["proposed", "Qwen/fine"]
    assert err.splitlines()[-1].startswith(
        "error: 2 of 3 not proposed: config.json of Qwen/gated: gated; accept"
    )


def test_a_hub_that_does_not_answer_may_later(hub: ModelHub, jouleboard: Jouleboard) -> None:
    hub.faults["/api/models"] = 503
    code, out, err = jouleboard("find")
    assert (code, out) == (75, "")
    assert err == (
        f"error: model hub {hub.url} answered 503: "
        "try again later, check HF_ENDPOINT, or set HF_HUB_OFFLINE=1 to ask no hub\n"
    )


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("show", "a/b"), "no proposal for a/b"),
        (("accept", "../../etc/passwd"), "'../../etc/passwd' is not the name of a model"),
        (("find", "../.."), "not the name of a model"),
        (("accept", NEW, "--set", "nickname"), "give NAME=VALUE"),
        (("accept", NEW, "--set", "nickname=[1"), "'[1' is not a value"),
        (("accept", NEW, "--set", "total_params_billions=.nan"), "total_params_billions"),
        (("accept", NEW, "--set", "colour=red"), "colour: cannot be set"),
    ],
)
def test_a_mistake_is_one_line(
    hub: ModelHub, jouleboard: Jouleboard, arguments: tuple[str, ...], part: str
) -> None:
    add_dense(hub)
    assert jouleboard("find", NEW)[0] == 0
    code, out, err = jouleboard(*arguments)
    assert (code, out) == (1, "")
    assert part in err and err.startswith("error: ") and err.count("\n") == 1
    assert json.loads(jouleboard("list", "--json")[1])[0]["decision"] is None
