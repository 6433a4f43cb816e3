"""Servers from a container or run by somebody else, and options as the runtime takes them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from benchmark_tasks import catalog
from benchmark_tasks.errors import CatalogError, GpuBusy, ServerError, SettingsError, UnknownVersion
from benchmark_tasks.measuring.devices import gpus_for, meter_of
from benchmark_tasks.plan.sweep import Plan, Sweep
from benchmark_tasks.run import measure
from benchmark_tasks.runtimes import container, endpoint
from benchmark_tasks.runtimes.kinds import kind_of
from benchmark_tasks.runtimes.kinds.vllm import server_command
from benchmark_tasks.runtimes.launch import AtEndpoint, InContainer, Launch
from benchmark_tasks.runtimes.server import RunningServer, ServerSpec, free_port, serve
from benchmark_tasks.runtimes.server_options import read_server_options
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.quick import QUICK, landed, quick_sweep
from benchmark_tasks.testing.replay_meter import ReplayMeter
from benchmark_tasks.testing.waiting import until
from benchmark_tasks.testing.weights import write_weights_folder
from benchmark_tasks.vocabulary import RunStatus, ServerKind, Weights


def sweep(**changes: object) -> Sweep:
    return quick_sweep(**{"distribution": "vllm", **changes})


def go(settings: Settings, wanted: Sweep, **more: object) -> list[str]:
    said: list[str] = []
    measure(wanted, settings, say=said.append, **more)  # type: ignore[arg-type]
    return said


# --- an endpoint that runs already --------------------------------------------------------------


@pytest.fixture
def running(tmp_path: Path) -> Iterator[RunningServer]:
    """A server that nobody here started, under a name of its own; every answer hits its prefix cache."""
    port = free_port()
    command = (
        *(sys.executable, "-m", "benchmark_tasks.testing.mock_server", f"--port={port}"),
        *("--served-model-name=theirs", "--version=0.0.1+cu130", "--prefix-cache-hits=3"),
    )
    with serve(
        ServerSpec(kind_of("vllm").server, command, dict(os.environ), port, tmp_path / "theirs.log", 30)
    ) as server:
        yield server


def test_an_endpoint_is_driven_and_left_alone(settings: Settings, running: RunningServer) -> None:
    said = go(settings, sweep(server=AtEndpoint(url=running.base_url)))
    (run,) = landed(settings)
    assert run.status is RunStatus.COMPLETED and run.requests.failed == 0
    assert running.process.poll() is None
    assert run.comparability.runtime_version == "0.0.1+endpoint"
    provenance = run.provenance
    assert provenance.server_kind is ServerKind.ENDPOINT
    assert provenance.runtime_packages == {"vllm": "0.0.1+cu130"}
    assert f"--endpoint={running.base_url}" in provenance.server_arguments
    assert any("calls its model theirs" in line for line in said)
    assert run.server.prefix_cache_hits > 0  # for the gate, which refuses such a run


def test_an_endpoint_has_energy_only_of_gpus_that_a_person_named(
    settings: Settings, running: RunningServer
) -> None:
    theirs = {"gpu_model": "H200", "num_gpus": 1}
    unnamed = sweep(server=AtEndpoint(url=running.base_url), **theirs)
    named = sweep(server=AtEndpoint(url=running.base_url, gpu_indices=(3,)), **theirs)
    assert gpus_for(unnamed) == () and "--gpu-index" in meter_of(unnamed, ()).absent_reason
    assert gpus_for(named) == (3,)
    go(settings, unnamed)
    go(settings, named, meter=ReplayMeter())
    without, with_energy = landed(settings)
    assert without.window_steady.energy is None and "endpoint" in without.energy_absent_reason
    assert with_energy.window_steady.energy.counter_joules > 0
    assert (settings.home / "locks" / "gpu-3.lock").exists()


def test_an_endpoint_that_is_not_what_was_asked_for_is_refused(
    settings: Settings, running: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = running.base_url
    with pytest.raises(UnknownVersion, match=r"runs vllm 0.0.1\+cu130, not 0.0.2"):
        go(settings, sweep(server=AtEndpoint(url=url), runtime_version="0.0.2"))
    with pytest.raises(ServerError, match=r"does not answer.*start it"):
        go(settings, sweep(server=AtEndpoint(url=f"http://127.0.0.1:{free_port()}")))
    with pytest.raises(CatalogError, match="2 GPU indices for 1"):
        go(settings, sweep(server=AtEndpoint(url=url, gpu_indices=(0, 1)), gpu_model="H200", num_gpus=1))
    monkeypatch.setattr(endpoint, "_is_here", lambda url: False)
    elsewhere = AtEndpoint(url=url, gpu_indices=(0,))
    with pytest.raises(SettingsError, match="another machine"):
        go(settings, sweep(server=elsewhere, gpu_model="H200", num_gpus=1), meter=ReplayMeter())
    assert landed(settings) == []


def test_a_busy_endpoint_is_left_to_those_who_use_it(
    settings: Settings, running: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RunningServer, "running_requests", lambda self, seconds: 2.0)
    with pytest.raises(GpuBusy, match="runs 2 other requests"):
        go(settings, sweep(server=AtEndpoint(url=running.base_url)))
    assert landed(settings) == []


def test_only_addresses_of_this_machine_are_here() -> None:
    assert endpoint._is_here("http://127.0.0.1:8000") and endpoint._is_here("http://localhost:8000")
    assert not endpoint._is_here("http://192.0.2.1:8000")  # TEST-NET: nobody's


@pytest.mark.parametrize("url", ["ftp://host", "http://user:secret@host", "http://host?key=1", "host:8000"])
def test_an_endpoint_is_a_plain_address(url: str) -> None:
    with pytest.raises(ValueError):
        AtEndpoint(url=url)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://::1:8000", "write an IPv6 address in brackets"),
        ("http://[::1:8000", "is not an address"),
        ("http://host:99999", "is not an address: Port out of range"),
        ("http://host:http", "is not an address"),
        ("http://host:0", "it has no port"),
    ],
)
def test_an_address_that_programs_read_in_different_ways_is_refused(url: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        AtEndpoint(url=url)
    assert AtEndpoint(url="http://[::1]:8000/v1").url


# --- a container --------------------------------------------------------------------------------

CLIENT = """#!{python}
import json, socket, sys
daemon = socket.socket(socket.AF_UNIX)
daemon.connect({address!r})
daemon.sendall(json.dumps(sys.argv[1:]).encode() + b"\\n")
code, said = json.loads(daemon.makefile().read())
print(said)
sys.exit(code)
"""


class Daemon(socketserver.StreamRequestHandler):
    """A container daemon: containers are its children, not the client's, and outlive the client."""

    def handle(self) -> None:
        arguments = json.loads(self.rfile.readline())
        self.server.calls.append(arguments)  # type: ignore[attr-defined]
        with contextlib.suppress(BrokenPipeError):  # the client may be gone
            self.wfile.write(json.dumps(self.answer(arguments)).encode())

    def answer(self, arguments: list[str]) -> tuple[int, str]:
        running: dict[str, tuple[subprocess.Popen[bytes], list[str]]] = self.server.running  # type: ignore[attr-defined]
        match arguments:
            case ["image", "inspect", "--format", *_]:
                return 0, "registry/vllm@sha256:abc"
            case ["image", "inspect", _]:
                return 0, "[]"
            case ["run", "--rm", "--entrypoint", *_]:
                return 0, json.dumps({"vllm": "0.0.1", "torch": "2.11.0"})
            case ["run", *_]:
                name = arguments[arguments.index("--name") + 1]
                labels = [arguments[i + 1] for i, part in enumerate(arguments) if part == "--label"]
                port = next(part for part in arguments if part.startswith("--port="))
                child = subprocess.Popen([sys.executable, "-m", "benchmark_tasks.testing.mock_server", port])
                running[name] = child, labels
                return child.wait(), ""
            case ["ps", "--all", "--quiet", "--filter", wanted]:
                found = [name for name, (_, labels) in running.items() if wanted[6:] in labels]
                return 0, "\n".join(found)
            case ["rm", "--force", "--volumes", *names]:
                for name in names:
                    running.pop(name)[0].kill()
                return 0, ""
        return 125, f"unknown command {arguments}"


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socketserver.BaseServer]:
    """A fake `docker` on PATH; its daemon knows what it was told and which containers run."""
    script = tmp_path / "bin" / "docker"
    script.parent.mkdir()
    address = str(tmp_path / "docker.sock")
    script.write_text(CLIENT.format(python=sys.executable, address=address))
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}{os.pathsep}{os.environ['PATH']}")
    with socketserver.ThreadingUnixStreamServer(address, Daemon) as daemon:
        daemon.daemon_threads = True
        daemon.calls, daemon.running = [], {}  # type: ignore[attr-defined]
        threading.Thread(target=daemon.serve_forever, args=(0.02,), daemon=True).start()
        yield daemon
        daemon.shutdown()
        for child, _ in daemon.running.values():  # type: ignore[attr-defined]
            child.kill()


REFUSED = kind_of("vllm").refused_options
IMAGE = InContainer(image="registry/vllm:v{version}")


def test_a_container_is_started_measured_and_removed(settings: Settings, docker: Any) -> None:
    go(settings, sweep(server=IMAGE))
    (run,) = landed(settings)
    assert run.status is RunStatus.COMPLETED
    assert run.provenance.server_kind is ServerKind.CONTAINER
    assert run.provenance.server_image == "registry/vllm@sha256:abc"
    assert run.provenance.runtime_packages == {"torch": "2.11.0", "vllm": "0.0.1"}
    assert run.comparability.runtime_version == "0.0.1"
    name = run.provenance.server_arguments[run.provenance.server_arguments.index("--name") + 1]
    assert ["rm", "--force", "--volumes", name] in docker.calls
    assert docker.running == {}


def test_the_image_must_hold_the_version(settings: Settings, docker: Any) -> None:
    with pytest.raises(UnknownVersion, match=r"holds 0\.0\.1, not 0\.0\.2"):
        go(settings, sweep(server=IMAGE, runtime_version="0.0.2"))


def test_without_the_client_it_says_so(settings: Settings) -> None:
    with pytest.raises(SettingsError, match="podman is not installed here"):
        go(settings, sweep(server=InContainer(image="x", client="podman")))


def test_kill_9_leaves_a_container_that_the_next_measurement_removes(
    settings: Settings, docker: Any, tmp_path: Path
) -> None:
    endless = QUICK.model_copy(update={"minimum_window_seconds": 60.0, "maximum_seconds": 120.0})
    plan = tmp_path / "plan.json"
    plan.write_text(Plan(sweeps=(sweep(server=IMAGE, procedure=endless),)).model_dump_json())
    command = [sys.executable, "-m", "benchmark_tasks.cli", "measure", "--plan", str(plan)]
    environment = {**os.environ, "JOULEBOARD_HOME": str(settings.home)}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    next(line for line in process.stderr if "warming up" in line)
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    until(lambda: not leftovers(settings), 40, "guardian and client gone")
    ((left, _),) = docker.running.values()
    assert left.poll() is None
    lock = settings.home / "locks" / "cpu.lock"
    assert container.end_leftovers(str(tmp_path / "another" / "cpu.lock")) == 0
    assert container.end_leftovers(str(lock)) == 1
    left.wait(10)
    assert docker.running == {}


def leftovers(settings: Settings) -> list[int]:
    """Processes of this home's measurement that still run: guardian and client carry the home."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if (
                process.environ().get("JOULEBOARD_HOME") == str(settings.home)
                and process.status() != "zombie"
            ):
                found.append(process.pid)
    return found


def container_command(tmp_path: Path, client: str, **changes: object) -> tuple[str, ...]:
    wanted = sweep(gpu_model="H200", num_gpus=2, tensor_parallel=2, **changes)
    image = container.ContainerImage(client, "registry/vllm:v0.0.1", "digest", {})
    launch = Launch(
        setup=wanted,
        model=catalog.load().model(wanted.model_id),
        scratch=tmp_path,
        gpu_indices=(0, 2),
        lock_mark=f"/h/locks/gpu-0.lock{os.pathsep}/h/locks/gpu-2.lock",
        max_num_seqs=64,
        seed=0,
        start_seconds=1.0,
        port=8123,
    )
    return image.spec(launch).command


def test_what_docker_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_very_secret")
    command = container_command(tmp_path, "docker", server_options={"max-model-len": 512})
    text = " ".join(command)
    assert command[:4] == ("docker", "run", "--rm", "--init")
    assert '--gpus "device=0,2"' in text and "--network host" in text and "--ipc host" in text
    assert "--label jouleboard.lock.gpu-0=/h/locks/gpu-0.lock" in text
    assert "--label jouleboard.lock.gpu-2=/h/locks/gpu-2.lock" in text
    assert f"--volume {tmp_path}/model:/jouleboard/model:ro" in text
    assert f"--volume {tmp_path}/server.yaml:/jouleboard/server.yaml:ro" in text
    image = command.index("registry/vllm:v0.0.1")
    assert command[image - 2 : image] == ("--entrypoint", "python3")
    assert command[image + 1 : image + 7] == (
        *("-m", "vllm.entrypoints.cli.main", "serve", "/jouleboard/model"),
        *("--config", "/jouleboard/server.yaml"),
    )
    assert "--port=8123" in command and "--tensor-parallel-size=2" in command
    assert "HF_TOKEN" not in text  # dummy weights need no hub


def test_a_container_gets_what_draws_its_weights(tmp_path: Path) -> None:
    text = " ".join(container_command(tmp_path, "docker", weights=Weights.STAND_IN))
    assert f"--volume {tmp_path}/stand-in:/jouleboard/stand-in:ro" in text
    assert "--env PYTHONPATH=/jouleboard/stand-in" in text and "--load-format=stand-in" in text
    assert (tmp_path / "stand-in" / "jouleboard_stand_in" / "vllm_plugin.py").exists()
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    assert config["tie_word_embeddings"] is False, "the recipe needs a head of its own"


def test_podman_names_gpus_its_own_way_and_real_weights_come_from_the_hub_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_TOKEN", "hf_very_secret")
    text = " ".join(container_command(tmp_path, "podman", weights=Weights.REAL))
    assert "--device nvidia.com/gpu=0 --device nvidia.com/gpu=2" in text and "--gpus" not in text
    assert f"--volume {tmp_path}/hub:/root/.cache/huggingface " in text
    assert "serve jouleboard/qwen3-tiny" in text
    assert "--env HF_TOKEN " in text and "secret" not in text  # by name: its value never is an argument


def test_a_folder_of_weights_is_mounted_and_needs_no_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_very_secret")
    folder = write_weights_folder(tmp_path / "mine")
    asked = {"weights": Weights.REAL, "weights_folder": str(folder), "server_environment": {"OMP_X": "2"}}
    text = " ".join(container_command(tmp_path, "docker", **asked))
    assert f"--volume {folder}:/jouleboard/model:ro" in text and "serve /jouleboard/model" in text
    assert "--env HF_HUB_OFFLINE=1" in text and "HF_TOKEN" not in text and "/root/.cache" not in text
    assert "--env OMP_X=2" in text, "what a sweep asks for reaches the container"
    (folder / "extra.json").symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(CatalogError, match=r"extra\.json: a link to a file outside of the folder"):
        container_command(tmp_path, "docker", **asked)


# --- options as the runtime takes them ----------------------------------------------------------


def test_options_from_a_file_replace_the_catalogs_and_keep_runs_apart(
    settings: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("max_model_len: 512\nhf-token: hf_secret\ncompilation-config: {level: 3}\n")
    wanted = sweep(distribution="jouleboard-mock", server_options=read_server_options(path, REFUSED))
    model = catalog.load().model(wanted.model_id)
    command = server_command("python3", model, wanted, "m", port=1, max_num_seqs=4, seed=0, config="s.yaml")
    assert command[4:7] == ("m", "--config", "s.yaml")
    assert not any("max-model-len" in part for part in command) and "--enforce-eager" in command
    go(settings, wanted)
    (run,) = landed(settings)
    assert run.comparability.runtime_version == wanted.measured_version
    assert wanted.measured_version.startswith("0.0.1+config.")
    assert run.provenance.server_options["max_model_len"] == 512
    assert run.provenance.server_options["hf-token"] == "***"
    assert Sweep.model_validate_json(wanted.model_dump_json()) == wanted


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("port: 1", "port is decided by the sweep"),
        ("max_num_seqs: 1", "max_num_seqs is decided"),
        ("no-enable-prefix-caching: false", "decided by the sweep"),
        ("speculative_config.method: ngram", "write it as a mapping"),
        ("- a list", "not a YAML mapping"),
        ("a: [", "not a YAML mapping"),
    ],
)
def test_what_decides_the_measurement_is_not_an_option(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=message):
        read_server_options(path, REFUSED)


def test_a_missing_options_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file"):
        read_server_options(tmp_path / "none.yaml", REFUSED)


# --- which GPUs ---------------------------------------------------------------------------------


def test_the_gpus_are_those_that_are_visible(monkeypatch: pytest.MonkeyPatch) -> None:
    two = sweep(gpu_model="H200", num_gpus=2)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,3")
    assert gpus_for(two) == (2, 3)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2")
    with pytest.raises(CatalogError, match="leaves 1 of 2"):
        gpus_for(two)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-8a1b")
    with pytest.raises(SettingsError, match="by index"):
        gpus_for(two)
    assert gpus_for(sweep()) == ()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    with pytest.raises(CatalogError, match="hides GPU 0"):
        meter_of(two, (0, 1))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert gpus_for(two) == (0, 1)


# --- the command --------------------------------------------------------------------------------


def command(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "JOULEBOARD_HOME": str(settings.home)}
    whole = [sys.executable, "-m", "benchmark_tasks.cli", "measure", *arguments]
    return subprocess.run(whole, env=environment, capture_output=True, text=True, check=False)


def test_the_command_measures_a_plan_at_an_endpoint(
    settings: Settings, running: RunningServer, tmp_path: Path
) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text(Plan(sweeps=(sweep(),)).model_dump_json())
    ended = command(settings, "--plan", str(plan), "--endpoint", running.base_url)
    assert ended.returncode == 0, ended.stderr
    assert [run.provenance.server_kind for run in landed(settings)] == [ServerKind.ENDPOINT]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--gpu-index", "0"), "--gpu-index needs --endpoint"),
        (("--endpoint", "http://h", "--container", "i"), "cannot be used together"),
        (("--endpoint", "https://user:secret@h"), "--endpoint"),
        (("--endpoint", "http://127.0.0.1:9", "--server-per-point"), "an endpoint is already running"),
        (("--container", "i", "--container-client", "lxc"), "server.container.client"),
    ],
)
def test_options_that_contradict_each_other_are_one_line(
    settings: Settings, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text(Plan(sweeps=(sweep(),)).model_dump_json())
    ended = command(settings, "--plan", str(plan), *arguments)
    [line] = ended.stderr.splitlines()
    assert ended.returncode == 1 and line.startswith("error: ") and message in line
