"""Real pipelines of diffusers, tiny and with random weights, measured as large ones are on a GPU."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from benchmark_tasks.catalog import load
from benchmark_tasks.diffusion.generator import MOCK_PROGRAM, PROGRAM, job_of
from benchmark_tasks.errors import OutOfMemory
from benchmark_tasks.plan import single_sweep
from benchmark_tasks.plan.procedure import DIFFUSION_CPU_PROCEDURE
from benchmark_tasks.plan.sweep import Sweep
from benchmark_tasks.results import bundle
from benchmark_tasks.results.schema import Run
from benchmark_tasks.results.store import Store
from benchmark_tasks.run import measure
from benchmark_tasks.runtimes.environments import Environment
from benchmark_tasks.settings import Settings
from benchmark_tasks.vocabulary import RunStatus, Task
from expectations.publications import query
from expectations.refresh import refresh

IMAGE, VIDEO = ("jouleboard/pixart-tiny", Task.TEXT_TO_IMAGE), ("jouleboard/wan-tiny", Task.TEXT_TO_VIDEO)
QUICK = DIFFUSION_CPU_PROCEDURE.model_copy(
    update={"minimum_window_seconds": 1.0, "maximum_seconds": 10.0, "drift_limit": 100.0}
)


def sweep(model: tuple[str, Task], *batch_sizes: int, **generation: int) -> Sweep:
    made = single_sweep(
        load(),
        model_id=model[0],
        task=model[1],
        runtime_version="0.42.1",
        gpu_model="none",
        num_gpus=0,
        batch_sizes=batch_sizes,
    )
    return made.model_copy(update={"procedure": QUICK, **generation})


def share_environments(settings: Settings, environment: Environment) -> Settings:
    settings.home.mkdir()
    settings.environments.symlink_to(environment.path.parent)
    return settings


@pytest.fixture
def with_diffusers(settings: Settings, diffusers: Environment) -> Settings:
    """A home of its own that shares the environments."""
    return share_environments(settings, diffusers)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory, diffusers: Environment) -> Settings:
    """A home in which an image model (batches of 1 and 2) and a video model (of 2) were measured."""
    home = tmp_path_factory.mktemp("measured") / "home"
    settings = share_environments(Settings(home=home), diffusers)
    for wanted in (sweep(IMAGE, 1, 2), sweep(VIDEO, 2)):
        measure(wanted, settings)
    return settings


def landed(settings: Settings, task: Task) -> list[tuple[Run, Path]]:
    runs = [(bundle.verify(path), path) for _, path in Store(settings.raw).listing().runs]
    chosen = [(run, path) for run, path in runs if run.configuration.task is task]
    return sorted(chosen, key=lambda found: found[0].configuration.batch_size)


def test_images_are_generated_and_measured(measured: Settings, diffusers: Environment) -> None:
    (one, path), (two, _) = landed(measured, Task.TEXT_TO_IMAGE)
    for run, batch_size in ((one, 1), (two, 2)):
        assert (run.status, run.configuration.batch_size) == (RunStatus.COMPLETED, batch_size)
        assert run.window_steady.settled and run.window_steady.energy is None
        assert run.window_steady.output_items >= 3 * batch_size
    assert one.comparability.runtime == "diffusers"
    packages = one.provenance.runtime_packages.keys()
    assert {"diffusers", "torch", "transformers"} <= packages
    assert not any(name.startswith("nvidia") for name in packages)
    size, colours = look_at(path, diffusers)
    assert size == [64, 64] and colours > 100


def test_videos_are_generated_and_measured(measured: Settings, diffusers: Environment) -> None:
    [(run, path)] = landed(measured, Task.TEXT_TO_VIDEO)
    assert run.window_steady.settled and run.configuration.num_frames == 9
    assert run.requests.completed % 2 == 0
    assert look_at(path, diffusers)[0] == [3 * 32, 3 * 32]


def test_what_was_generated_is_published_without_energy(measured: Settings) -> None:
    refresh(measured, say=lambda line: None)
    rows = query(
        measured,
        "select output_unit, runtime, batch_size, height, num_frames, energy_per_output_joules, energy_rank,"
        " throughput_per_second > 0, batch_latency_seconds > 0 from marts.leaderboard"
        " order by task, batch_size",
    ).rows
    assert rows == (
        ("image", "diffusers", 1, 64, None, None, None, True, True),
        ("image", "diffusers", 2, 64, None, None, None, True, True),
        ("video", "diffusers", 2, 32, 9, None, None, True, True),
    )


def test_what_does_not_fit_is_infeasible(with_diffusers: Settings) -> None:
    with pytest.raises(OutOfMemory, match=r"does not fit in memory: .*can't allocate memory"):
        measure(sweep(IMAGE, 1, height=2**20, width=2**20), with_diffusers)
    [(run, _)] = Store(with_diffusers.raw).listing().runs
    assert run.status is RunStatus.INFEASIBLE and run.failure.phase == "load"


@pytest.mark.parametrize("program", [PROGRAM, MOCK_PROGRAM], ids=["real", "mock"])
def test_the_program_keeps_its_word(tmp_path: Path, diffusers: Environment, program: Path) -> None:
    """What both sides agree on, whoever generates: two orders, the second one stopped at once."""
    wanted = sweep(IMAGE, 2)
    job = job_of(wanted, load().model(wanted.model_id), ("a cat", "a dog"), 0)
    ready, *events = events_of(program, diffusers, tmp_path, job, (2, 1))
    assert (ready["event"], ready["devices"]) == ("ready", 1)
    assert [(e["event"], e["point"]) for e in events] == [
        ("batch", 0), ("ended", 0), ("batch", 1), ("ended", 1)
    ]  # fmt: skip
    batches = [event for event in events if event["event"] == "batch"]
    assert [batch["items"] for batch in batches] == [2, 1]
    assert ready["at_ns"] < batches[0]["begin_ns"] < batches[0]["end_ns"] < batches[1]["begin_ns"]
    samples = [event["sample"] for event in events if event["event"] == "ended"]
    assert all(sample["pixel_spread"] > 0 for sample in samples)
    asked = (job["generation"]["width"], job["generation"]["height"], 1)
    assert {(s["computed_width"], s["computed_height"], s["frames"]) for s in samples} == {asked}
    assert {"sample-0.jpg", "sample-1.jpg"} <= {path.name for path in tmp_path.iterdir()}


@pytest.mark.parametrize(
    ("model", "vae", "sample"),
    [
        (IMAGE, {"scaling_factor": 0.0}, {"pixel_spread": 0.0, "non_finite_share": None, "frames": 1}),
        (VIDEO, {"latents_mean": [1e39] * 16}, {"pixel_spread": 0.0, "non_finite_share": 1.0, "frames": 9}),
    ],
    ids=["image", "video"],
)
def test_a_decoder_that_computes_with_nan_is_seen(
    tmp_path: Path, diffusers: Environment, model: tuple[str, Task], vae: dict, sample: dict
) -> None:
    job = one_cat(sweep(model, 1))
    job["pipeline"]["components"]["vae"]["config"] |= vae
    *_, ended = events_of(PROGRAM, diffusers, tmp_path, job, (1,))
    asked = job["generation"]
    assert ended["sample"] == sample | {"computed_width": asked["width"], "computed_height": asked["height"]}


def one_cat(wanted: Sweep) -> dict:
    """The job of a sweep with one prompt."""
    return job_of(wanted, load().model(wanted.model_id), ("a cat",), 0)


def of_trained_size(**call: bool) -> dict:
    """A job of a pipeline that computes 256x256 unless it is told not to, for a picture of 64x64."""
    job = one_cat(sweep(IMAGE, 1))
    job["pipeline"]["components"]["transformer"]["config"]["sample_size"] = 32
    job["pipeline"]["call"] = {"clean_caption": False, **call}
    return job


def failure(program_folder: Path, diffusers: Environment, job: dict) -> str:
    """Why the program gives up on a job."""
    with pytest.raises(subprocess.CalledProcessError):
        events_of(PROGRAM, diffusers, program_folder, job, (1,))
    *_, last = (program_folder / "events.jsonl").read_text().splitlines()
    event = json.loads(last)
    assert event["event"] == "failed"
    return str(event["reason"])


def test_pictures_are_computed_at_the_size_asked_for(tmp_path: Path, diffusers: Environment) -> None:
    """PixArt would compute at a size that it was trained on, here 256x256, and scale the picture down."""
    assert events_of(PROGRAM, diffusers, tmp_path, of_trained_size(), (1,))[-1]["event"] == "ended"


def test_a_pipeline_that_computes_another_size_is_refused(tmp_path: Path, diffusers: Environment) -> None:
    reason = failure(tmp_path, diffusers, of_trained_size(use_resolution_binning=True))
    assert reason == "NotAsAsked: the pipeline computes 256x256 where 64x64 was asked for"


def test_a_pipeline_that_returns_other_frames_is_refused(tmp_path: Path, diffusers: Environment) -> None:
    """Wan generates 4 n + 1 frames, whatever is asked for."""
    assert failure(tmp_path, diffusers, one_cat(sweep(VIDEO, 1, num_frames=10))) == (
        "NotAsAsked: the pipeline returns 9 frames where 10 were asked for"
    )


def test_models_of_the_catalog_have_the_size_it_says(diffusers: Environment) -> None:
    """Built without memory (torch's meta device) from the same facts as the random weights on a GPU."""
    models = [model for model in load().models.values() if model.pipeline and model.runtime == "xdit"]
    told = {model.model_id: model.pipeline.model_dump(mode="json")["components"] for model in models}
    script = (
        "import json, sys, torch, diffusers\n"
        "def size(part):\n"
        "    kind = getattr(diffusers, part['class_name'])\n"
        "    with torch.device('meta'):\n"
        "        made = kind.from_config(part['config'])\n"
        "    return sum(p.numel() for p in made.parameters())\n"
        "print(json.dumps({k: size(v['transformer']) for k, v in json.load(sys.stdin).items()}))"
    )
    answer = subprocess.run(
        [diffusers.python, "-c", script],
        input=json.dumps(told),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    sizes = json.loads(answer.stdout)
    assert len(sizes) == 12
    for model in models:
        assert sizes[model.model_id] / 1e9 == pytest.approx(model.total_params_billions, rel=0.2)


def events_of(
    program: Path, diffusers: Environment, folder: Path, job: dict, batch_sizes: tuple[int, ...]
) -> list[dict]:
    """What the program says when every order is stopped at once."""
    (folder / "job.json").write_text(json.dumps(job))
    for number, batch_size in enumerate(batch_sizes):
        (folder / f"point-{number}.json").write_text(json.dumps({"batch_size": batch_size}))
        (folder / f"point-{number}.stop").write_text("{}")
    (folder / "leave").write_text("{}")
    subprocess.run([diffusers.python, program, folder], check=True, timeout=300, env={"PATH": "/bin"})
    return [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]


def look_at(path: Path, diffusers: Environment) -> tuple[list[int], int]:
    """Width and height of a bundle's sample, and how many colours it has."""
    sample = path / bundle.SAMPLE_FILE
    assert sample.stat().st_size <= 60_000
    script = (
        "import json, sys; from PIL import Image; i = Image.open(sys.argv[1]);"
        "print(json.dumps([i.size, len(i.getcolors(i.width * i.height))]))"
    )
    told = subprocess.run(
        [diffusers.python, "-c", script, sample], check=True, capture_output=True, timeout=60
    )
    size, colours = json.loads(told.stdout)
    return size, colours
