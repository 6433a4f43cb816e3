"""Commands, paths, SQL, templates and YAML, tried wherever text comes in."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from benchmark_tasks import catalog
from benchmark_tasks.errors import BundleError, CatalogError, ImportRefused, JouleboardError
from benchmark_tasks.imports.mlenergy import import_results
from benchmark_tasks.plan import versions
from benchmark_tasks.plan.sweep import Sweep
from benchmark_tasks.results import bundle
from benchmark_tasks.results.store import Store
from benchmark_tasks.runtimes.environments import ensure
from benchmark_tasks.runtimes.launch import InContainer
from benchmark_tasks.runtimes.server_options import flags
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.samples import sample_run, write_sample
from jouleboard_airflow.failures import StepFailed, one_line_errors
from jouleboard_airflow.tasks import planning, releases
from tests.security.test_secrets import SWEEP

HOSTILE = (
    "1.0; touch pwned",
    "$(touch pwned)",
    "`touch pwned`",
    "../../../../tmp/pwned",
    "--index-url=http://127.0.0.1:9/",
    "1.0\n--extra-index-url http://127.0.0.1:9/",
    "1.0' or '1'='1",
    "{{ conn.warehouse.password }}",
    "<script>alert(1)</script>",
    "",
)


@pytest.fixture(autouse=True)
def nothing_escapes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Whatever is tried, nothing appears beside the home."""
    room = tmp_path / "a" / "b"
    room.mkdir(parents=True)
    monkeypatch.chdir(room)
    monkeypatch.setenv("JOULEBOARD_HOME", str(room / "home"))
    monkeypatch.setenv("JOULEBOARD_INDEX_URL", "http://127.0.0.1:9/simple/")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    yield
    assert list(tmp_path.rglob("*pwned*")) == [] and not Path("/tmp/pwned").exists()


@pytest.fixture
def settings() -> Settings:
    return Settings.from_environment()


@pytest.mark.parametrize("text", HOSTILE)
def test_a_version_is_a_version(settings: Settings, text: str) -> None:
    with pytest.raises(ValidationError):
        Sweep.model_validate({**SWEEP.model_dump(), "runtime_version": text})
    with pytest.raises(JouleboardError):
        ensure("vllm", text, settings)
    assert not settings.environments.exists()


@pytest.mark.parametrize("text", HOSTILE)
def test_a_distribution_and_an_image_are_names(text: str) -> None:
    with pytest.raises(ValidationError):
        Sweep.model_validate({**SWEEP.model_dump(), "distribution": text})
    with pytest.raises(ValidationError):
        InContainer(image=text)


@pytest.mark.parametrize("text", HOSTILE)
def test_an_option_s_value_stays_one_argument(text: str) -> None:
    assert flags({"max_model_len": text}) == [f"--max-model-len={text}"]


def as_asked(catalog: object, runtime: str, version: str, *_: object) -> str:
    """There is such a release."""
    return version


@pytest.mark.parametrize("text", [text for text in HOSTILE if text])
@pytest.mark.parametrize("field", ["models", "tasks", "gpu_model"])
def test_the_form_s_names_are_looked_up_and_nothing_else(
    field: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(versions, "_version_with_build", as_asked)
    params = {"runtime": "vllm", "version": "0.30.0", "repeats": 1, "note": None, "force": False}
    params |= {"models": None, "tasks": None, "gpu_model": None}
    with pytest.raises(StepFailed) as caught, one_line_errors():
        planning.plan_release(params | {field: text if field == "gpu_model" else [text]}, "manual")
    assert "\n" not in str(caught.value)


def test_the_form_s_note_is_kept_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "_version_with_build", as_asked)
    params = {"runtime": "vllm", "version": "0.30.0", "repeats": 1, "force": False}
    params |= {"models": None, "tasks": None, "gpu_model": "none", "note": "\n".join(HOSTILE)}
    planned = planning.plan_release(params, "manual")
    assert {entry["sweep"]["note"] for entry in planned} == {"\n".join(HOSTILE)}


@pytest.mark.parametrize("text", [*HOSTILE, "file:///etc/passwd", "ftp://127.0.0.1/", "/etc"])
def test_an_import_s_source_is_a_folder_or_an_address(settings: Settings, text: str) -> None:
    with pytest.raises(ImportRefused):
        releases.import_results(text, text)
    assert not any(path.name == "current" for path in settings.home.rglob("*"))


def test_names_in_an_import_do_not_lead_out_of_it(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "secret.json").write_text('{"secret": 1}')
    source = tmp_path / "published"
    (source / "tasks").mkdir(parents=True)
    index = {"last_updated": "2026-01-01", "tasks": ["../../secret"], "models": {}}
    (source / "index.json").write_text(json.dumps(index))
    with pytest.raises(ImportRefused) as caught:
        import_results(str(source), settings)
    assert "secret.json" not in str(caught.value)


def link(path: Path) -> None:
    path.symlink_to("/etc/hostname")


@pytest.mark.parametrize("make", [link, os.mkfifo, Path.mkdir])
@pytest.mark.parametrize("name", [bundle.RUN_FILE, bundle.SERVER_LOG, bundle.CHECKSUMS_FILE, "extra"])
def test_a_bundle_holds_plain_files_only(settings: Settings, tmp_path: Path, name: str, make: Any) -> None:
    measured = write_sample(tmp_path / "measured", sample_run(gpu=False))
    (measured / name).unlink(missing_ok=True)
    make(measured / name)
    store = Store(settings.raw)
    with pytest.raises(BundleError, match=f"{name}: not a plain file"):
        store.land_copy(measured)
    assert store.listing() == type(store.listing())((), ())
    there = settings.raw / "lm-arena-chat" / "2026-11" / measured.name
    there.parent.mkdir(parents=True)
    measured.rename(there)
    (broken,) = store.listing().broken  # and nobody waits for the pipe
    assert "not a plain file" in broken.reason


BOMB = "\n".join(
    ["a0: &a0 [x, x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12))]
)


@pytest.mark.parametrize(
    "text",
    [
        "model_id: !!python/object/apply:os.system ['touch pwned']",
        "model_id: !!python/name:os.system",
        BOMB,
        "a: &a [*a]",
        "model_id: " + "[" * 3000,
    ],
)
def test_a_catalog_file_is_data(tmp_path: Path, text: str) -> None:
    folder = tmp_path / "catalog"
    shutil.copytree(Path(catalog.__file__).parent / "data", folder)
    first = min(folder.glob("models/*.yaml"))
    first.write_text(text)
    with pytest.raises(CatalogError, match=first.name):
        catalog.load(folder)
