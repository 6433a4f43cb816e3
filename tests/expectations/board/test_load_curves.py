"""The figure over the offered load: it draws and says the marts' figures; what is missing is left out."""

from __future__ import annotations

from typing import Any

import pytest

from expectations.board.operations.load_curves import Curve, curves, in_words, specification, svg
from tests.expectations.board.marts import HOSTILE

LOAD: dict[str, Any] = {
    "server_setup_id": "a" * 32,
    "burstiness": 1.0,
    "nickname": "Qwen 3 8B",
    "task": "lm-arena-chat",
    "gpu_model": "H200",
    "num_gpus": 1,
    "batch_size": 64,
    "runtime": "vllm",
    "runtime_version": "0.26.0",
    "weights": "dummy",
    "request_rate": 5.0,
    "is_sustained": True,
    "mean_power_watts": 400.0,
    "mean_power_low_watts": 390.0,
    "mean_power_high_watts": 410.0,
    "energy_per_response_joules": 80.0,
    "ttft_p50_ms": 50.0,
    "ttft_p99_ms": 150.0,
    "itl_p50_ms": 10.0,
    "itl_p99_ms": 30.0,
}
UNKNOWN = {name: None for name in LOAD if name.endswith(("_ms", "joules", "low_watts", "high_watts"))}
IDLE = {**LOAD, **UNKNOWN, "request_rate": 0.0, "mean_power_watts": 120.0}
JAM = {**LOAD, "request_rate": 11.0, "is_sustained": False, "mean_power_watts": 600.0}
CAPACITY: dict[str, Any] = {
    "server_setup_id": "a" * 32,
    "burstiness": 1.0,
    "objective": "chat",
    "is_default": True,
    "ttft_percentile": 99,
    "ttft_ceiling_ms": 2000.0,
    "itl_percentile": None,
    "itl_ceiling_ms": None,
    "highest_request_rate": 5.0,
    "lowest_missed_rate": 11.0,
    "energy_per_response_joules": 80.0,
    "requests_per_kwh": 45_000.0,
    "idle_power_watts": 120.0,
    "power_share_idle": 0.2,
}


def drawn(*loads: dict[str, Any], **capacity: Any) -> Curve:
    (curve,) = curves(loads, [CAPACITY | capacity])
    return curve


def panels(curve: Curve) -> dict[str, list[dict[str, Any]]]:
    """Values of all layers by the panel's title."""
    spec = specification(curve)
    return {
        panel["title"]["text"]: [value for layer in panel["layer"] for value in layer["data"]["values"]]
        for panel in spec["concat"]
    }


def test_idle_is_part_of_power_and_of_nothing_else() -> None:
    shown = panels(drawn(IDLE, LOAD, JAM))
    assert list(shown) == [
        "Power, idle included", "Energy per request", "Time to first token", "Inter-token latency",
    ]  # fmt: skip
    assert (0.0, 120.0) in {
        (value.get("rate"), value.get("value")) for value in shown["Power, idle included"]
    }
    others = [value for title in list(shown)[1:] for value in shown[title]]
    assert all(value.get("rate") != 0.0 for value in others)


def test_a_load_that_is_not_kept_up_with_is_a_cross_and_on_no_line() -> None:
    (power, *_) = specification(drawn(LOAD, JAM))["concat"]
    lines = [layer for layer in power["layer"] if layer["mark"]["type"] == "line"]
    points = [layer for layer in power["layer"] if layer["mark"]["type"] == "point"]
    assert [[value["rate"] for value in layer["data"]["values"]] for layer in lines] == [[5.0]]
    assert [value["shape"] for value in points[0]["data"]["values"]] == ["circle", "cross"]


def test_the_highest_load_and_the_ceiling_are_marked() -> None:
    shown = panels(drawn(LOAD, JAM))
    assert all({"rate": 5.0, "words": "chat: 5/s"} in values for values in shown.values())
    assert {"value": 2000.0, "words": "chat: p99 at most 2,000 ms"} in shown["Time to first token"]
    assert not any("at most" in value.get("words", "") for value in shown["Inter-token latency"])


def test_without_energy_only_latencies_are_drawn() -> None:
    blind = {name: None for name in LOAD if name.endswith(("watts", "joules"))}
    capacity = {"energy_per_response_joules": None, "idle_power_watts": None, "power_share_idle": None}
    curve = drawn({**LOAD, **blind}, **capacity)
    assert list(panels(curve)) == ["Time to first token", "Inter-token latency"]
    assert in_words(curve) == (
        "5 requests per second meet the objective chat; the next rate that was tried, 11, does not."
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"lowest_missed_rate": None}, "meet the objective chat; more was not tried."),
        ({"lowest_missed_rate": 0.5}, "meet the objective chat; the lower rate 0.5 does not."),
        ({"highest_request_rate": None}, "No measured load meets the objective chat."),
        ({"power_share_idle": None}, "it draws 120 W."),
    ],
)
def test_words_say_what_is_not_known(changes: dict[str, Any], said: str) -> None:
    assert said in in_words(drawn(LOAD, **changes))


def test_setups_and_burstiness_have_curves_of_their_own() -> None:
    bursty = {**LOAD, "burstiness": 0.5}
    other = {**LOAD, "server_setup_id": "b" * 32}
    known = curves([LOAD, bursty, other], [CAPACITY, {**CAPACITY, "burstiness": 0.5}])
    assert len({curve.stem for curve in known}) == 3
    assert "gamma, burstiness 0.5 arrivals" in known[1].conditions
    assert (known[1].capacity or {})["burstiness"] == 0.5
    assert known[2].capacity is None
    assert in_words(known[2]) == ""


def test_hostile_names_stay_text() -> None:
    assert "<img" not in svg(drawn(LOAD, objective=HOSTILE), narrow=True)
