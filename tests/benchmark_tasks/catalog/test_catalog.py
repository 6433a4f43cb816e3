"""The shipped catalog is whole; a wrong file names its line and field."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from benchmark_tasks.catalog import SHIPPED, load
from benchmark_tasks.catalog.tables import write_tables
from benchmark_tasks.errors import CatalogError
from benchmark_tasks.vocabulary import Architecture, Task, Weights

PUBLISHED = frozenset(Path(__file__).with_name("published_models.txt").read_text().split())
"""The 46 models of ML.ENERGY's published results. The catalog may list others, too."""
TINY = "jouleboard/qwen3-tiny"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A catalog that may be damaged."""
    return Path(shutil.copytree(SHIPPED, tmp_path / "catalog"))


def test_the_shipped_catalog_loads() -> None:
    catalog = load()
    assert len(PUBLISHED) == 46
    assert set(catalog.models) >= PUBLISHED
    assert set(catalog.tasks) == set(Task)
    published_on = {"A100": 400, "B200": 1000, "H100": 700, "H200": 700}
    assert {name: catalog.gpus[name].tdp_watts for name in published_on} == published_on
    assert not any(model.trust_remote_code for model in catalog.models.values())
    assert catalog.models[TINY].weights is Weights.DUMMY
    assert catalog.watched("vllm").runtime == "vllm"


def test_it_covers_every_published_configuration(published_v3: Path) -> None:
    catalog = load()
    facts = json.loads((published_v3 / "index.json").read_text())["models"]
    assert set(facts) == PUBLISHED
    for model_id, published in facts.items():
        ours = catalog.models[model_id].model_dump(mode="json")
        assert {name: ours[name] for name in published} == published
    for path in sorted((published_v3 / "tasks").glob("*.json")):
        document = json.loads(path.read_text())
        for row in document["configurations"]:
            entry = catalog.models[row["model_id"]].tasks[Task(document["task"])]
            degrees = {name: row[name] for name in row if name.endswith(("_parallel", "_degree"))}
            size = row.get("max_num_seqs") or row["batch_size"]
            assert any(
                (deployment.gpu_model, deployment.num_gpus) == (row["gpu_model"], row["num_gpus"])
                and degrees.items() <= deployment.model_dump().items()
                and size in deployment.batch_sizes
                for deployment in entry.deployments
            )
            if "inference_steps" in row:
                assert entry.generation.inference_steps == row["inference_steps"]


def test_diffusion_models_have_no_language_architecture() -> None:
    for model in load().models.values():
        diffusion = all(task.architecture is Architecture.DIFFUSION for task in model.tasks)
        assert (model.architecture is None) == diffusion == (model.runtime != "vllm")


@pytest.mark.parametrize(
    ("path", "old", "new", "line", "field"),
    [
        ("gpus/H200.yaml", "tdp_watts: 700", "tdp_watts: lots", 3, "tdp_watts"),
        ("gpus/H200.yaml", "tdp_watts: 700", "tdp_wats: 700", 1, "tdp_watts"),
        ("gpus/H200.yaml", "memory_gib: 141", "memory_gib: 141\ncolour: green", 5, "colour"),
        ("gpus/H200.yaml", "memory_gib: 141", "memory_gib: 141\nmemory_gib: 80", 5, "memory_gib"),
        ("gpus/H200.yaml", "memory_gib: 141", "memory_gib: .nan", 4, "memory_gib"),
        ("gpus/H200.yaml", '["NVIDIA H200$"]', '["NVIDIA H200("]', 7, "driver_names"),
        ("gpus/H200.yaml", "memory_gib: 141", "memory_gib: [141", 5, "file"),
        ("tasks/gpqa.yaml", "median_itl_ceilings_ms", "batch_latency_ceilings_seconds", 1, "file"),
        ("tasks/gpqa.yaml", "median_tokens: 220", "median_tokens: 2", 8, "requests.input_tokens"),
        ("models/jouleboard__qwen3-tiny.yaml", "gpu_model: none", "gpu_model: H300", 46,
         "tasks.lm-arena-chat.deployments.0.gpu_model"),
        ("models/jouleboard__qwen3-tiny.yaml", "[1, 4]", "[4, 1]", 46,
         "tasks.lm-arena-chat.deployments.0.batch_sizes"),
        ("models/jouleboard__qwen3-tiny.yaml", "num_gpus: 0", "num_gpus: -1", 46,
         "tasks.lm-arena-chat.deployments.0.num_gpus"),
        ("models/jouleboard__qwen3-tiny.yaml", "  vocab_size: ", "  vocab_size: 0 # ", 2, "file"),
        ("watch.yaml", 'floor: "0.32.0"', "floor: newest", 5, "projects.0.floor"),
    ],
)  # fmt: skip
def test_a_bad_file_names_its_line_and_field(
    copy: Path, path: str, old: str, new: str, line: int, field: str
) -> None:
    text = (copy / path).read_text()
    assert old in text
    (copy / path).write_text(text.replace(old, new))
    with pytest.raises(CatalogError) as caught:
        load(copy)
    assert str(caught.value).startswith(f"{copy / path}:{line}: {field}: ")
    assert "\n" not in str(caught.value)


def test_a_file_is_named_after_what_it_holds(copy: Path) -> None:
    (copy / "gpus/H200.yaml").rename(copy / "gpus/H300.yaml")
    with pytest.raises(CatalogError, match=r"H300.yaml:1: the file of H200 must be named H200.yaml"):
        load(copy)


def test_an_empty_folder_is_not_a_catalog(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="incomplete"):
        load(tmp_path)


def test_the_hash_is_of_content(copy: Path) -> None:
    before = load(copy).content_hash
    path = copy / "gpus/H200.yaml"
    path.write_text("# a comment\n" + path.read_text())
    assert load(copy).content_hash == before == load().content_hash
    path.write_text(path.read_text().replace("700", "701"))
    assert load(copy).content_hash != before


@pytest.mark.parametrize(
    ("driver_name", "gpu_model"),
    [
        ("NVIDIA H200", "H200"),
        ("NVIDIA H100 80GB HBM3", "H100"),
        ("NVIDIA B200", "B200"),
        ("NVIDIA A100-SXM4-80GB", "A100"),
        ("NVIDIA H200 NVL", None),
        ("NVIDIA H100 PCIe", None),
        ("Tesla T4", None),
    ],
)
def test_gpus_are_known_by_their_driver_names(driver_name: str, gpu_model: str | None) -> None:
    found = load().gpu_named(driver_name)
    assert (found and found.gpu_model) == gpu_model


def test_an_unknown_model_is_answered_with_the_nearest() -> None:
    with pytest.raises(CatalogError, match=r"did you mean Qwen/Qwen3-8B\?"):
        load().model("qwen/qwen3-8")


def test_the_tables_hold_every_entry(tmp_path: Path) -> None:
    catalog = load()
    write_tables(catalog, tmp_path)
    models = pq.read_table(tmp_path / "catalog_models.parquet").to_pylist()
    assert [row["model_id"] for row in models] == sorted(catalog.models)
    assert all(row["modality"] == catalog.models[row["model_id"]].modality for row in models)
    modalities = Counter(row["modality"] for row in models if row["model_id"] in PUBLISHED)
    assert modalities == {"text": 23, "multimodal": 11, "image": 7, "video": 5}
    gpus = pq.read_table(tmp_path / "catalog_gpus.parquet").to_pylist()
    assert {"gpu_model": "H200", "tdp_watts": 700.0, "memory_gib": 141.0} in gpus
    tasks = {row["task"]: row for row in pq.read_table(tmp_path / "catalog_tasks.parquet").to_pylist()}
    assert list(tasks) == sorted(Task)
    assert tasks["text-to-video"] == {
        "task": "text-to-video",
        "display_name": "Text to Video",
        "architecture": "diffusion",
        "output_unit": "video",
        "input_media": None,
        "reference_tasks": [],
        "median_itl_ceilings_ms": [],
        "batch_latency_ceilings_seconds": [100.0, 500.0, 1000.0],
    }
    assert tasks["image-chat"]["input_media"] == "image"
    assert tasks["gpqa"]["reference_tasks"] == ["lm-arena-chat", "sourcegraph-fim"]
    assert tasks["gpqa"]["median_itl_ceilings_ms"] == [50.0, 100.0, 250.0]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (
            "objective: fast\nttft_ceiling_ms: 300\nsource: us\n",
            "ttft_percentile and ttft_ceiling_ms go together",
        ),
        ("objective: fast\nsource: us\n", "an objective has a ceiling"),
        ("objective: fast\nttft_percentile: 75\nttft_ceiling_ms: 300\nsource: us\n", "ttft_percentile"),
        ("objective: fast\nttft_percentile: 99\nttft_ceiling_ms: 0\nsource: us\n", "ttft_ceiling_ms"),
        (
            "objective: slow\nttft_percentile: 99\nttft_ceiling_ms: 300\nsource: us\n",
            "must be named slow.yaml",
        ),
    ],
)
def test_an_objective_that_says_nothing_names_its_file(content: str, line: str, tmp_path: Path) -> None:
    file = tmp_path / "objectives" / "fast.yaml"
    file.parent.mkdir()
    file.write_text(content)
    with pytest.raises(CatalogError) as caught:
        load(overlay=tmp_path)
    assert str(caught.value).startswith(str(file)) and line in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_changes_is_read_anew_whatever_its_size_and_times_say(copy: Path) -> None:
    path = copy / "gpus" / "H200.yaml"
    before, content = path.stat(), path.read_text()
    assert load(copy).gpus["H200"].tdp_watts == 700
    assert "tdp_watts: 700" in content
    path.write_text(content.replace("tdp_watts: 700", "tdp_watts: 650"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert load(copy).gpus["H200"].tdp_watts == 650
    (copy / "gpus" / "B200.yaml").unlink()  # the unchanged files of models are right only beside it
    with pytest.raises(CatalogError, match="no such GPU in the catalog"):
        load(copy)


GPU_ENTRY = """gpu_model: X100
display_name: Maker X100
tdp_watts: 300
memory_gib: 48
driver_names: ["Maker X100"]
source: its maker
"""


def test_an_installation_adds_a_gpu_and_changes_none(tmp_path: Path) -> None:
    (tmp_path / "gpus").mkdir()
    (tmp_path / "gpus" / "X100.yaml").write_text(GPU_ENTRY)
    catalog = load(overlay=tmp_path)
    assert catalog.gpu_named("Maker X100 PCIe").tdp_watts == 300
    assert catalog.gpus.keys() - load().gpus.keys() == {"X100"}
    assert catalog.content_hash != load().content_hash
    shipped = (SHIPPED / "gpus" / "H200.yaml").read_text().replace("tdp_watts: 700", "tdp_watts: 7000")
    (tmp_path / "gpus" / "H200.yaml").write_text(shipped)
    with pytest.raises(CatalogError, match=r"gpus/H200.yaml:1: the catalog has H200; remove this file"):
        load(overlay=tmp_path)


@pytest.mark.parametrize(
    "path",
    ["gpu/X100.yaml", "gpus/X100.yml", "gpus/more/X100.yaml", "canary.yaml", "models.YAML", "x/y/z.yml"],
)
def test_a_file_that_nothing_would_read_is_refused(path: str, tmp_path: Path) -> None:
    file = tmp_path / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(GPU_ENTRY)
    with pytest.raises(CatalogError) as caught:
        load(overlay=tmp_path)
    assert str(caught.value).startswith(f"{file}:1: nothing reads this file")
    assert "gpus/*.yaml" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("path", ["README.md", ".git/config.yaml", "models/.old.yaml", "gpus/X100.yaml~"])
def test_other_files_may_lie_beside_an_installation_s_catalog(path: str, tmp_path: Path) -> None:
    file = tmp_path / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("not of the catalog")
    assert load(overlay=tmp_path).content_hash == load().content_hash


def test_a_name_has_no_control_character(copy: Path) -> None:
    path = copy / "gpus" / "H200.yaml"
    path.write_text(path.read_text().replace("display_name: ", 'display_name: "\\e[31mred" # '))
    with pytest.raises(CatalogError, match=r"H200.yaml:\d+: display_name: String should match pattern"):
        load(copy)
