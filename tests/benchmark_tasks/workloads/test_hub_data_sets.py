"""Data sets of a hub with its real shapes: commits, other hosts, broken connections, terms, offline caches.

Their client reads the environment when it is imported: each test is one process that tries several sets.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmark_tasks.testing.hub import ModelHub

FILE = "data/train-00000-of-00001.parquet"
ROWS = [{"prefix": f"def f{i}():", "suffix": "return x"} for i in range(2000)]
SCRIPT = """
import json, sys
from benchmark_tasks.catalog import DataSetEntry
from benchmark_tasks.errors import JouleboardError
from benchmark_tasks.settings import Settings
from benchmark_tasks.workloads.data_sets import rows_of
for name, fields in json.load(sys.stdin).items():
    entry = DataSetEntry(form="fill-in-the-middle", source="a test", **fields)
    try:
        read = rows_of(name, entry, Settings.from_environment())
        print(json.dumps([name, read.revision, read.rows]))
    except JouleboardError as error:
        print(json.dumps([name, type(error).__name__, str(error)]))
"""


def read(sets: dict[str, Any], folder: Path, **variables: str) -> dict[str, tuple[str, Any]]:
    """Revision and rows of each set, or the error's kind and message."""
    here = {"HF_HOME": str(folder / "hf"), "HF_TOKEN": "hf_secret", "JOULEBOARD_HOME": str(folder)}
    environment = {**os.environ, **here, **variables}
    environment.pop("JOULEBOARD_DATA_SETS", None)
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT], input=json.dumps(sets), env=environment, capture_output=True,
        text=True, timeout=240, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert "hf_secret" not in ended.stdout + ended.stderr
    return {name: (first, second) for name, first, second in map(json.loads, ended.stdout.splitlines())}


@pytest.fixture
def code(model_hub: ModelHub) -> str:
    """The commit of a data set whose rows are in a file on another host."""
    table = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([{**row, "middle": "x"} for row in ROWS]), table)
    offered = model_hub.add_data_set("org/code", {"README.md": b"# code", FILE: table.getvalue()})
    model_hub.add_data_set("org/terms", {"README.md": b"# terms", FILE: table.getvalue()})
    model_hub.gated.add("datasets/org/terms")
    return offered.revision


def test_a_set_is_fetched_at_its_commit_and_trouble_is_one_line(
    model_hub: ModelHub, code: str, tmp_path: Path
) -> None:
    size = len(model_hub.models["datasets/org/code"].files[FILE])
    model_hub.breaks[FILE] = [size // 3, size // 2]
    sets = {
        "whole": {"hub_id": "org/code", "revision": "main"},
        "beginning": {"hub_id": "org/code", "revision": code, "first_rows": 3},
        "terms": {"hub_id": "org/terms", "revision": "main"},
        "gone": {"hub_id": "org/code", "revision": "0" * 40},
        "nothing": {"hub_id": "org/nothing", "revision": "main"},
    }
    found = read(sets, tmp_path, HF_ENDPOINT=model_hub.url)
    assert found["whole"] == (code, ROWS), "although the connection broke twice"
    assert [name for name, *_ in model_hub.stored[:3]] == [FILE] * 3
    assert not any(token for *_, token in model_hub.stored), "the token is the hub's"
    assert found["beginning"] == (code, ROWS[:3])
    kind, line = found["terms"]
    assert kind == "RequestSetError" and "accept its terms on the hub and set HF_TOKEN" in line
    kind, line = found["gone"]
    assert kind == "RequestSetError" and "the hub has no org/code at 000" in line
    kind, line = found["nothing"]
    assert kind == "RequestSetError" and "the hub has no org/nothing at main, or it is private" in line


def test_offline_what_was_fetched_is_there_and_the_rest_is_one_line(
    model_hub: ModelHub, code: str, tmp_path: Path
) -> None:
    at_commit = {"hub_id": "org/code", "revision": code}
    assert read({"code": at_commit}, tmp_path, HF_ENDPOINT=model_hub.url)["code"] == (code, ROWS)
    asked = len(model_hub.asked)
    sets = {
        "code": at_commit,
        "branch": {"hub_id": "org/code", "revision": "main"},
        "never": {"hub_id": "org/other", "revision": "1" * 40},
    }
    found = read(sets, tmp_path, HF_ENDPOINT=model_hub.url, HF_HUB_OFFLINE="1")
    assert found["code"] == (code, ROWS)
    for name in ("branch", "never"):
        kind, line = found[name]
        assert kind == "IndexUnreachable" and "HF_HUB_OFFLINE is set" in line and "\n" not in line
    assert "a commit" in found["branch"][1]
    assert len(model_hub.asked) == asked
