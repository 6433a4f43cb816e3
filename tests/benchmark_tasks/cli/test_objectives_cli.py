"""`jouleboard objectives`: set, list, remove; what cannot be so is one line and changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from benchmark_tasks.catalog import load

Jouleboard = Callable[..., tuple[int, str, str]]


@pytest.fixture
def jouleboard(jouleboard: Jouleboard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Jouleboard:
    monkeypatch.setenv("JOULEBOARD_HOME", str(tmp_path))
    return partial(jouleboard, "objectives")


def own(home: Path) -> dict[str, tuple[object, ...]]:
    return {
        name: (one.ttft_percentile, one.ttft_ceiling_ms, one.itl_percentile, one.itl_ceiling_ms, one.source)
        for name, one in load(overlay=home / "catalog").objectives.items()
    }


def test_set_replaced_listed_and_removed(jouleboard: Jouleboard, tmp_path: Path) -> None:
    code, out, _ = jouleboard(
        "set", "fast", "--ttft-ms", "300", "--ttft-percentile", "95", "--note", "search"
    )
    assert code == 0
    assert out.startswith("fast: 95th percentile of TTFT at most 300 ms (search): counts from the next")
    assert own(tmp_path) == {"fast": (95, 300.0, None, None, "search")}
    jouleboard("set", "fast", "--itl-ms", "12.5", "--note", "speech")
    jouleboard("set", "chat", "--ttft-ms", "100", "--itl-ms", "20", "--note", "us")
    assert own(tmp_path) == {
        "fast": (None, None, 99, 12.5, "speech"),
        "chat": (99, 100.0, 99, 20.0, "us"),
    }
    _, out, _ = jouleboard("list")
    assert out.splitlines() == [
        "chat: 99th percentile of TTFT at most 100 ms, 99th percentile of ITL at most 20 ms (us)",
        "fast: 99th percentile of ITL at most 12.5 ms (speech)",
    ]
    assert jouleboard("remove", "chat")[0] == 0
    assert list(own(tmp_path)) == ["fast"]


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (("set", "fast"), "an objective has a ceiling"),
        (("set", "fast", "--ttft-percentile", "95"), "ttft_percentile and ttft_ceiling_ms go together"),
        (("set", "fast", "--ttft-ms", "0"), "ttft_ceiling_ms: Input should be greater than 0"),
        (("set", "fast", "--itl-ms", "5", "--itl-percentile", "98"), "itl_percentile: Input should be 50"),
        (("set", "../fast", "--itl-ms", "5"), "objective: String should match pattern"),
        (("set", "fast", "--itl-ms", "5", "--note", "x" * 501), "source: String should have at most 500"),
        (("remove", "chat"), "has no latency objective 'chat' of its own; it has: none"),
        (("remove", "../../chat"), "has no latency objective '../../chat' of its own"),
    ],
)
def test_what_cannot_be_so_is_one_line_and_changes_nothing(
    jouleboard: Jouleboard, tmp_path: Path, given: tuple[str, ...], line: str
) -> None:
    code, out, err = jouleboard(*given)
    assert code == 1 and out == ""
    assert err.count("\n") == 1 and err.startswith("error: ") and line in err, err
    assert not (tmp_path / "catalog").exists()
