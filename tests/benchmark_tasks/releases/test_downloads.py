"""Weights from a hub: resumed, whole or refused, and trouble is one line that says what to do."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from benchmark_tasks.errors import DiskFull, HubRefused, IndexUnreachable, JouleboardError
from benchmark_tasks.releases.hub import Hub
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.hub import Model, ModelHub
from benchmark_tasks.testing.weights import write_weights_folder

MODEL = "org/model"
FIRST, SECOND = (f"model-0000{part}-of-00002.safetensors" for part in (1, 2))
CHUNK = 1 << 14


@pytest.fixture
def hub(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Hub:
    import huggingface_hub.constants

    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setattr(huggingface_hub.constants, "DOWNLOAD_CHUNK_SIZE", CHUNK)
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda seconds: None)
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: None)
    return Hub(settings)


@pytest.fixture
def model(server: ModelHub, tmp_path: Path) -> Model:
    """Two files of weights of 80 kB each, and what repositories have beside them."""
    folder = write_weights_folder(tmp_path / "source", parts=2)
    offered = server.add(MODEL, config={"model_type": "qwen3"})
    offered.files |= {file.name: file.read_bytes() for file in folder.iterdir()}
    for name in (FIRST, SECOND):
        offered.files[name] += b"\1" * 5 * CHUNK
    others = ("pytorch_model.bin", "original/consolidated.00.pth", "model.gguf", "figure.png")
    offered.files |= dict.fromkeys(others, b"much")
    offered.commit()
    return offered


def download(hub: Hub, cache: Path, **options: Any) -> Path:
    return hub.download(hub.repository(MODEL), cache, **options)


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def one_line(kind: type[JouleboardError], part: str, call: Callable[[], Any]) -> None:
    with pytest.raises(kind) as caught:
        call()
    message = str(caught.value)
    assert part in message and "\n" not in message and "secret" not in message


def test_what_a_server_loads_is_fetched_from_the_host_that_the_hub_names(
    hub: Hub, model: Model, server: ModelHub, tmp_path: Path
) -> None:
    folder = download(hub, tmp_path / "cache")
    assert folder.name == model.revision and folder.parents[2] == tmp_path / "cache"
    assert {"config.json", "tokenizer.json", FIRST, SECOND} <= names(folder)
    assert not {name for name in names(folder) if name.endswith((".bin", ".pth", ".gguf", ".png"))}
    assert all((folder / name).read_bytes() == model.files[name] for name in names(folder))
    assert {name for name, *_ in server.stored} == {FIRST, SECOND}
    assert not any(token for *_, token in server.stored), "the token is the hub's"


def test_only_small_files_are_fetched_for_the_tokenizer(
    hub: Hub, model: Model, server: ModelHub, tmp_path: Path
) -> None:
    assert "tokenizer.json" in names(download(hub, tmp_path / "cache", small=True))
    assert server.stored == []


def test_a_connection_that_breaks_is_taken_up_where_it_broke(
    hub: Hub, model: Model, server: ModelHub, tmp_path: Path
) -> None:
    server.breaks[FIRST] = [2 * CHUNK, 2 * CHUNK + 10, 4 * CHUNK]
    folder = download(hub, tmp_path / "cache")
    assert (folder / FIRST).read_bytes() == model.files[FIRST]
    asked = [ranges for name, ranges, _ in server.stored if name == FIRST]
    assert asked[:2] == [None, f"bytes={2 * CHUNK}-"] and asked[-1] == f"bytes={4 * CHUNK}-"


def test_what_came_whole_is_not_fetched_again(
    hub: Hub, model: Model, server: ModelHub, tmp_path: Path
) -> None:
    server.breaks[SECOND] = [CHUNK] * 40
    one_line(IndexUnreachable, "try again later", lambda: download(hub, tmp_path / "cache"))
    server.breaks.clear()
    server.stored.clear()
    folder = download(hub, tmp_path / "cache")
    assert (folder / SECOND).read_bytes() == model.files[SECOND]
    assert {name for name, *_ in server.stored} == {SECOND}
    server.stored.clear()
    assert download(hub, tmp_path / "cache") == folder and server.stored == []


@pytest.mark.parametrize("token", [None, "hf_secret"], ids=["401", "403"])
def test_a_gated_model_says_what_to_do(
    hub: Hub,
    model: Model,
    server: ModelHub,
    tmp_path: Path,
    token: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    repository = hub.repository(MODEL)
    if token is None:
        monkeypatch.delenv("HF_TOKEN")
    server.gated.add(MODEL)
    one_line(
        HubRefused,
        f"gated; accept its terms on {server.url} and set HF_TOKEN",
        lambda: hub.download(repository, tmp_path / "cache"),
    )


def test_a_commit_that_is_gone_is_one_line(hub: Hub, model: Model, server: ModelHub, tmp_path: Path) -> None:
    repository = hub.repository(MODEL)
    model.commit(**{"tokenizer.json": b"{}"})
    one_line(HubRefused, "does not have it", lambda: hub.download(repository, tmp_path / "cache"))


class _Usage(NamedTuple):
    free: int


def test_a_disk_that_is_too_small_is_said_before_anything_is_fetched(
    hub: Hub, model: Model, server: ModelHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: _Usage(free=1000))
    one_line(DiskFull, "set HF_HOME to a larger disk", lambda: download(hub, tmp_path / "cache"))
    assert server.stored == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_cache_that_cannot_be_written_is_one_line(hub: Hub, model: Model, tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir(mode=0o500)
    one_line(HubRefused, "check permissions", lambda: download(hub, tmp_path / "cache"))


@pytest.mark.parametrize("status", [500, 503])
def test_a_host_in_trouble_is_one_line(
    hub: Hub, model: Model, server: ModelHub, tmp_path: Path, status: int
) -> None:
    repository = hub.repository(MODEL)
    server.faults["/resolve/"] = status
    with pytest.raises(JouleboardError) as caught:
        hub.download(repository, tmp_path / "cache")
    assert "\n" not in str(caught.value) and "try again later" in str(caught.value)
