"""`jouleboard price` on lists whose prices are known."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from benchmark_tasks.errors import SettingsError
from expectations.cli import app
from expectations.prices import answer
from expectations.prices.answer import digits
from expectations.prices.published import KEYS, PriceList, choose
from tests.expectations.prices.known import CONTEXT, PREFILL
from tests.expectations.prices.test_fit import PRICES


def listed(**keys: Any) -> PriceList:
    values = {
        **dict.fromkeys(KEYS),
        "nickname": "Qwen 3 8B",
        "model_id": "Qwen/Qwen3-8B",
        "weight_precision": "bfloat16",
        "gpu_model": "H200",
        "num_gpus": 1,
        "runtime": "vllm",
        "runtime_version": "0.26.0",
        "weights": "stand-in.1",
        "power_limit_watts": 700.0,
        "proof_loads": 3,
        **keys,
    }
    return PriceList(str(sorted(map(str, keys.values()))), values, PRICES)


LISTS = [listed(), listed(runtime_version="0.9.2"), listed(gpu_model="H100")]
ASKED = ("--model", "Qwen/Qwen3-8B", "--gpu", "H200", "--prompt", "1000", "--answer", "101")


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setattr("expectations.cli._publication", lambda *_: None)
    monkeypatch.setattr(answer, "lists_of", lambda _: LISTS)
    return lambda *arguments: CliRunner().invoke(app, ["price", *arguments])


def test_a_price_is_said_with_what_it_is_and_how_far_it_may_be_off(call: Callable[..., Result]) -> None:
    said = call(*ASKED).stdout.splitlines()
    assert said[0] == (
        "Qwen/Qwen3-8B (bfloat16), 1x H200, vllm 0.26.0, stand-in.1 weights, cap 700 W:"
        " prompt 1000, answer 101 tokens"
    )
    assert said[1].split("  ")[:2] == ["load", "request J"]
    # 20 J + 1 J of pairs; 100 x 9/256 J of steps + 100 x 1051 x 3e-5 J of context.
    assert said[2].split()[:6] == ["1", "27.67", "-", "21.00", "6.669", "0"], "no interval is known here"
    assert said[3].startswith("the interval is that of the fit: every part at its low or its high end")
    assert said[4] == (
        "no measurement: a model fitted to measurements; it misses 3 measured loads that it was not fitted to"
        " by at most 3.0 %"
    )
    assert said[5] == "the newest version; --version chooses another one: 0.9.2"


def test_csv_and_json_have_a_row_per_load(call: Callable[..., Result]) -> None:
    loads = ("--load", "0.5", "--load", "1")
    rows = list(csv.DictReader(io.StringIO(call(*ASKED, *loads, "--csv").stdout)))
    records = json.loads(call(*ASKED, *loads, "--json").stdout)
    assert [float(row["load"]) for row in rows] == [row["load"] for row in records] == [0.5, 1]
    assert float(rows[1]["prefill_joules"]) == pytest.approx(PREFILL * 1000 + 1)
    assert records[1]["decode_joules"] == pytest.approx(100 * 9 / 256 + CONTEXT * 100 * 1051)
    assert {row["basis"] for row in records} == {"a model fitted to measurements"}
    assert {row["held_out_error"] for row in records} == {0.03}


@pytest.mark.parametrize(
    ("lists", "asked", "message"),
    [
        ([], {}, "this publication has no energy prices: jouleboard plan-prices plans the loads"),
        (LISTS, {"gpu": "B200"}, "no price list of Qwen/Qwen3-8B on B200; there is: Qwen/Qwen3-8B"),
        (LISTS, {"model": "x"}, "no price list of x on H200; there is: "),
        (LISTS, {"version": "9"}, "no price list of Qwen/Qwen3-8B on H200 with these options; there is: "),
        ([*LISTS, listed(weights="real")], {}, "several price lists, choose with --weights"),
    ],
)
def test_no_list_and_several_lists_are_one_line(
    lists: list[PriceList], asked: dict[str, Any], message: str
) -> None:
    with pytest.raises(SettingsError, match=message) as raised:
        choose(lists, **{"model": "Qwen/Qwen3-8B", "gpu": "H200", **asked})
    assert "\n" not in str(raised.value)


def test_the_newest_version_is_chosen_unless_another_is_asked_for() -> None:
    found, others = choose(LISTS, model="qwen 3 8b", gpu="h200")
    assert found.keys["runtime_version"] == "0.26.0" and others == ("0.9.2",)
    found, others = choose(LISTS, model="qwen 3 8b", gpu="h200", version="0.9.2")
    assert found.keys["runtime_version"] == "0.9.2" and others == ()
    two = [*LISTS, listed(weights="real")]
    assert choose(two, model="qwen 3 8b", gpu="h200", weights="real")[0].keys["weights"] == "real"


def test_outside_of_what_was_measured_is_one_line_that_names_the_list(call: Callable[..., Result]) -> None:
    error = call(*ASKED[:4], "--prompt", "20000", "--answer", "5").exception
    assert isinstance(error, SettingsError)
    assert "prompts of 128 to 16384 tokens were measured" in str(error) and "1x H200" in str(error)
    steps = {size: step for size, step in PRICES.decode_steps.items() if size > 1}
    lists = [replace(listed(), prices=replace(PRICES, decode_steps=steps))]
    with pytest.raises(SettingsError, match="fewer than 8 answers in flight"):
        answer.answers(lists, model="Qwen/Qwen3-8B", gpu="H200", prompt=1000, answer=400, loads=[0.001])


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (27.6690, "27.67"), (1234567.8, "1234568"), (0.00012346, "0.0001235"), (9.9996, "10.000")],
)
def test_digits(value: float, text: str) -> None:
    assert digits(value) == text
