"""Folders of real weights: their identity is their content, and what is not whole is one line."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmark_tasks import catalog, disk
from benchmark_tasks.errors import CatalogError, WeightsNotAsAsked
from benchmark_tasks.runtimes import weights_folder
from benchmark_tasks.runtimes.weights_folder import read_weights_folder, require_same_model
from benchmark_tasks.testing.weights import CONFIG, write_safetensors, write_weights_folder
from benchmark_tasks.vocabulary import WeightPrecision


def revision_of(folder: Path, tmp_path: Path) -> str:
    return read_weights_folder(folder, tmp_path / "home").revision


def test_two_folders_have_one_identity_only_if_all_that_decides_is_equal(tmp_path: Path) -> None:
    first = write_weights_folder(tmp_path / "a", parts=2)
    again = write_weights_folder(tmp_path / "b", parts=2)
    (again / "README.md").write_text("describes nothing that is computed")
    (again / ".cache").mkdir()
    (again / ".cache" / "download.lock").write_text("")
    same = revision_of(first, tmp_path)
    assert revision_of(again, tmp_path) == same and len(same) == 64
    others = {same}
    for name in (
        "config.json",
        "tokenizer.json",
        "generation_config.json",
        "model-00002-of-00002.safetensors",
    ):
        other = write_weights_folder(tmp_path / name.replace(".", "-"), parts=2)
        content = (other / name).read_bytes()
        (other / name).write_bytes(content[:-1] + (b" }" if name.endswith(".json") else b"\x02"))
        others.add(revision_of(other, tmp_path))
    (again / "chat_template.jinja").write_text("{{ messages }}")
    others.add(revision_of(again, tmp_path))
    assert len(others) == 6


def test_a_changed_byte_is_seen_whatever_size_and_modification_time_say(tmp_path: Path) -> None:
    folder = write_weights_folder(tmp_path / "model")
    before = revision_of(folder, tmp_path)
    weights = folder / "model.safetensors"
    status, content = weights.stat(), weights.read_bytes()
    with weights.open("r+b") as opened:
        opened.seek(len(content) - 1)
        opened.write(b"\x07")
    os.utime(weights, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert weights.stat().st_size == status.st_size and weights.stat().st_mtime_ns == status.st_mtime_ns
    assert revision_of(folder, tmp_path) != before


def test_what_has_not_changed_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_weights_folder(tmp_path / "model", parts=3)
    hashed: list[str] = []

    real = disk.sha256

    def counted(path: Path) -> str:
        hashed.append(path.name)
        return real(path)

    monkeypatch.setattr(disk, "sha256", counted)
    first = revision_of(folder, tmp_path)
    assert len(hashed) == 7
    hashed.clear()
    assert revision_of(folder, tmp_path) == first
    assert len(hashed) == 7, "written a moment ago: the next change could have the same time"
    monkeypatch.setattr(weights_folder, "SETTLED_NS", -(10**18))
    revision_of(folder, tmp_path)
    hashed.clear()
    assert revision_of(folder, tmp_path) == first and hashed == []
    (folder / "tokenizer.json").write_text("{}")
    assert revision_of(folder, tmp_path) != first and hashed == ["tokenizer.json"]
    (memory,) = (tmp_path / "home" / "weights").iterdir()
    memory.write_text("{torn")
    revision_of(folder, tmp_path)


def test_a_folder_that_changes_while_it_is_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_weights_folder(tmp_path / "model")
    real = disk.sha256

    def meddling(path: Path) -> str:
        digest = real(path)
        if path.name == "model.safetensors":
            write_safetensors(path, {"0.BF16": "BF16"}, value=9)
        return digest

    monkeypatch.setattr(disk, "sha256", meddling)
    with pytest.raises(CatalogError, match=r"model\.safetensors: changed while it was read: measure again"):
        revision_of(folder, tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: write_safetensors(folder / "model.safetensors", {"0.BF16": "BF16"}, value=9),
        lambda folder: (folder / "added.json").write_text("{}"),
        lambda folder: (folder / "tokenizer.json").unlink(),
        shutil.rmtree,
    ],
    ids=["weights", "added", "removed", "gone"],
)
def test_a_change_after_it_was_read_is_found(tmp_path: Path, change: Callable[[Path], object]) -> None:
    folder = write_weights_folder(tmp_path / "model")
    read = read_weights_folder(folder, tmp_path / "home")
    read.require_unchanged()
    change(folder)
    with pytest.raises(WeightsNotAsAsked, match=r"changed while (it was|they were) loaded"):
        read.require_unchanged()


def cut(file: Path, by: int = 1) -> None:
    file.write_bytes(file.read_bytes()[:-by])


def renamed_tensor(folder: Path) -> None:
    write_safetensors(folder / "model-00001-of-00002.safetensors", {"other": "BF16"})


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "config.json").unlink(), "no config.json"),
        (lambda f: (f / "config.json").write_text("{"), "config.json: not JSON"),
        (lambda f: (f / "config.json").write_text("[]"), "config.json: not a JSON object"),
        (lambda f: (f / "tokenizer.json").unlink(), "no tokenizer"),
        (lambda f: cut(f / "model-00002-of-00002.safetensors"), r"-00002-of-00002\.safetensors: truncated"),
        (lambda f: (f / "model-00001-of-00002.safetensors").write_bytes(b""), r"truncated \(0 bytes\)"),
        (lambda f: cut(f / "model-00001-of-00002.safetensors", 60), "truncated"),
        (
            lambda f: (f / "model-00001-of-00002.safetensors").write_text("version https://git-lfs"),
            "git lfs pull",
        ),
        (
            lambda f: (f / "model-00001-of-00002.safetensors").write_bytes(b"\xff" * 99),
            "not a safetensors file",
        ),
        (
            lambda f: (f / "model-00001-of-00002.safetensors").write_bytes((2).to_bytes(8, "little") + b"[]"),
            "its header is not that of a safetensors file",
        ),
        (
            lambda f: (f / "model-00001-of-00002.safetensors").unlink(),
            r"-00001-of-00002\.safetensors: missing",
        ),
        (lambda f: (f / "model.safetensors.index.json").write_text("{}"), "no weight_map"),
        (renamed_tensor, r"0\.BF16 is not in it"),
        (lambda f: [file.unlink() for file in f.glob("*.safetensors*")], r"no \.safetensors file; copy"),
    ],
)
def test_a_folder_that_is_not_whole_is_one_line(
    tmp_path: Path, damage: Callable[[Path], object], message: str
) -> None:
    folder = write_weights_folder(tmp_path / "model", parts=2)
    damage(folder)
    with pytest.raises(CatalogError, match=message) as caught:
        revision_of(folder, tmp_path)
    assert "\n" not in str(caught.value) and str(folder) in str(caught.value)


def test_a_part_is_missed_without_an_index_too(tmp_path: Path) -> None:
    folder = write_weights_folder(tmp_path / "model", parts=3)
    (folder / "model.safetensors.index.json").unlink()
    (folder / "model-00002-of-00003.safetensors").unlink()
    with pytest.raises(CatalogError, match=r"-00002-of-00003\.safetensors: missing"):
        revision_of(folder, tmp_path)


def test_what_the_runtime_cannot_read_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "gguf"
    folder.mkdir()
    (folder / "SmolLM2.Q4_1.gguf").write_bytes(b"GGUF")
    for path in (folder, folder / "SmolLM2.Q4_1.gguf"):
        with pytest.raises(CatalogError, match=r"GGUF.*convert it to safetensors"):
            revision_of(path, tmp_path)
    with pytest.raises(CatalogError, match="no such folder"):
        revision_of(tmp_path / "nothing", tmp_path)
    pickled = write_weights_folder(tmp_path / "pickled")
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    with pytest.raises(CatalogError, match=r"pytorch_model\.bin is not read: convert it"):
        revision_of(pickled, tmp_path)
    linked = write_weights_folder(tmp_path / "linked")
    (linked / "model.safetensors").unlink()
    (linked / "model.safetensors").symlink_to(tmp_path / "blobs" / "gone")
    with pytest.raises(CatalogError, match="a link to a file that is missing"):
        revision_of(linked, tmp_path)


def test_links_are_followed_as_a_runtime_follows_them(tmp_path: Path) -> None:
    folder = write_weights_folder(tmp_path / "model")
    linked = tmp_path / "snapshot"
    linked.mkdir()
    for file in folder.iterdir():
        (linked / file.name).symlink_to(file)
    (linked / "round").symlink_to(linked)
    assert revision_of(linked, tmp_path) == revision_of(folder, tmp_path)


def quantized(**config: object) -> dict[str, object]:
    return {**CONFIG, "quantization_config": config}


GROUP = {"weights": {"type": "float", "num_bits": 8}}


@pytest.mark.parametrize(
    ("dtypes", "config", "precision"),
    [
        (["BF16"], CONFIG, WeightPrecision.BFLOAT16),
        (["F16"], {**CONFIG, "torch_dtype": "bfloat16"}, WeightPrecision.FLOAT16),
        (["F32"], CONFIG, WeightPrecision.FLOAT32),
        (["F8_E4M3", "F32"], quantized(quant_method="fp8"), WeightPrecision.FP8),
        (["F8_E4M3"], quantized(quant_method="fbgemm_fp8"), WeightPrecision.FP8),
        (["U8", "BF16"], quantized(quant_method="mxfp4"), WeightPrecision.MXFP4),
        (["I32", "F16"], quantized(quant_method="awq", bits=4), WeightPrecision.AWQ_INT4),
        (["I32", "F16"], quantized(quant_method="gptq", bits=8), WeightPrecision.GPTQ_INT8),
        (
            ["U8"],
            quantized(quant_method="bitsandbytes", load_in_4bit=True, bnb_4bit_quant_type="nf4"),
            WeightPrecision.BNB_NF4,
        ),
        (
            ["F8_E4M3"],
            quantized(quant_method="compressed-tensors", config_groups={"group_0": GROUP}),
            WeightPrecision.FP8,
        ),
        (
            ["F8_E4M3"],
            {**CONFIG, "text_config": {"quantization_config": {"quant_method": "fp8"}}},
            WeightPrecision.FP8,
        ),
    ],
)
def test_precision_is_what_the_files_hold(
    tmp_path: Path, dtypes: list[str], config: dict[str, object], precision: WeightPrecision
) -> None:
    folder = write_weights_folder(tmp_path / "model", dtypes=dtypes, config=config)
    assert read_weights_folder(folder, tmp_path / "home").precision is precision


@pytest.mark.parametrize(
    ("dtypes", "config", "message"),
    [
        (["BF16"], quantized(quant_method="fp8"), "config.json says fp8, but the files hold BF16"),
        (["I8"], CONFIG, "its weights are I8, but config.json has no quantization_config"),
        (["I32"], quantized(quant_method="awq", bits=3), "quantized by awq, a format without a name"),
        (["I32"], quantized(quant_method="aqlm"), "quantized by aqlm"),
        (["I32"], {**CONFIG, "quantization_config": "awq"}, "quantization_config is not an object"),
    ],
)
def test_a_format_without_a_name_is_refused(
    tmp_path: Path, dtypes: list[str], config: dict[str, object], message: str
) -> None:
    folder = write_weights_folder(tmp_path / "model", dtypes=dtypes, config=config)
    with pytest.raises(CatalogError, match=message):
        read_weights_folder(folder, tmp_path / "home")


def test_another_model_than_the_catalogs_is_refused(tmp_path: Path) -> None:
    model = catalog.load().model("jouleboard/qwen3-tiny")
    config = {**CONFIG, "hidden_size": 4096}
    folder = read_weights_folder(write_weights_folder(tmp_path / "model", config=config), tmp_path / "home")
    with pytest.raises(
        CatalogError, match=r"hidden_size in its config\.json is 4096, and 256 in the catalog"
    ):
        require_same_model(folder, model)
    same = json.loads(json.dumps(model.hub_config))
    folder = read_weights_folder(write_weights_folder(tmp_path / "same", config=same), tmp_path / "home")
    require_same_model(folder, model)
