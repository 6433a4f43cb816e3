"""The server in a container, through the `docker` or `podman` command.

The command stays in the foreground under the guardian, so that its end ends the container. But the container
is a child of its daemon, not of this process: it is removed by name whenever a session ends, and one that a
`kill -9` left behind is found by its labels when the device is next held.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from benchmark_tasks.errors import CatalogError, EnvironmentBuildError, SettingsError, UnknownVersion
from benchmark_tasks.meters.vendors import vendor_here
from benchmark_tasks.results.schema import new_run_id
from benchmark_tasks.runtimes.interpreter import LIST_PACKAGES, packages_from, same_release
from benchmark_tasks.runtimes.kinds import Setup, kind_of
from benchmark_tasks.runtimes.launch import InContainer, Launch
from benchmark_tasks.runtimes.server import RunningServer, ServerSpec, free_port, serve
from benchmark_tasks.workloads.requests import SERVED_MODEL_NAME

CLIENTS = ("docker", "podman")
LABEL = "jouleboard.lock"
PULL_SECONDS = 3600.0
ASK_SECONDS = 300.0
REMOVE_SECONDS = 60.0
REAP_SECONDS = 30.0
_MODEL_FOLDER = "/jouleboard/model"
_OPTIONS_FILE = "/jouleboard/server.yaml"
_STAND_IN_FOLDER = "/jouleboard/stand-in"
_HUB_CACHE = "/root/.cache/huggingface"


def prepare_image(container: InContainer, setup: Setup, say: Callable[[str], None]) -> ContainerImage:
    """The image of a runtime version, pulled if it is not here yet.

    Raises:
        SettingsError: no such client here.
        EnvironmentBuildError: the image cannot be had, or its packages cannot be listed.
        UnknownVersion: it holds another version of the runtime.
    """
    if shutil.which(container.client) is None:
        raise SettingsError(f"{container.client} is not installed here: install it, or measure without it")
    image = container.image.replace("{version}", setup.runtime_version)
    say(f"preparing image {image}")
    if not _succeeds(container.client, "image", "inspect", image):
        say(f"pulling {image}")
        _ask(PULL_SECONDS, container.client, "pull", "--quiet", image)
    digests = "{{range .RepoDigests}}{{println .}}{{end}}{{.Id}}"
    digest = _ask(ASK_SECONDS, container.client, "image", "inspect", "--format", digests, image).split()
    listing = ("run", "--rm", "--entrypoint", "python3", image, "-c", LIST_PACKAGES)
    packages = packages_from(_ask(ASK_SECONDS, container.client, *listing).splitlines()[-1])
    providers = kind_of(setup.runtime).distributions
    has = next((packages[name] for name in providers if name in packages), None)
    if has is None or not same_release(has, setup.runtime_version):
        raise UnknownVersion(
            f"image {image} holds {has or f'no {setup.runtime}'}, not {setup.runtime_version}: "
            "choose another --container image"
        )
    return ContainerImage(container.client, image, digest[0] if digest else image, packages)


class ContainerImage:
    """Starts containers of one image."""

    served_model_name = SERVED_MODEL_NAME

    def __init__(self, client: str, reference: str, digest: str, packages: Mapping[str, str]) -> None:
        self._client = client
        self._reference = reference
        self.image: str | None = digest
        self.packages = packages

    def spec(self, launch: Launch) -> ServerSpec:
        """`docker run` of the same module and options as in an environment."""
        port = launch.port or free_port()
        options = launch.options_file()
        source = launch.source()
        in_container = source if launch.from_hub else _MODEL_FOLDER
        if launch.setup.weights_folder:
            _require_inside(Path(source))
        contract = launch.kind.server
        module = contract.command(
            "python3",
            launch.model,
            launch.setup,
            in_container,
            port=port,
            max_num_seqs=launch.max_num_seqs,
            seed=launch.seed,
            config=_OPTIONS_FILE if options else None,
        )
        variables = {
            **contract.variables(launch.setup),
            **launch.setup.server_environment,
            **vendor_here().order_variables,
        }
        mounts = {_HUB_CACHE: _hub_cache()} if launch.from_hub else {_MODEL_FOLDER: Path(source)}
        mounts |= {_OPTIONS_FILE: options} if options else {}
        if (folder := launch.stand_in_folder()) is not None:
            mounts[_STAND_IN_FOLDER] = folder
            variables["PYTHONPATH"] = _STAND_IN_FOLDER
        command = (
            *_run(self._client, f"jouleboard-{new_run_id()}", launch.lock_mark),
            *vendor_here().container_arguments(self._client, launch.gpu_indices),
            *_mounted(mounts),
            *_variables(variables, hub=launch.from_hub),
            "--entrypoint",
            module[0],
            self._reference,
            *module[1:],
        )
        return ServerSpec(
            contract, command, dict(os.environ), port, launch.log, launch.start_seconds, variables
        )

    @contextlib.contextmanager
    def serve(self, spec: ServerSpec) -> Iterator[RunningServer]:
        """A healthy server in its container, which is removed on leaving, whatever happened."""
        name = spec.command[spec.command.index("--name") + 1]
        try:
            with serve(spec) as server:  # of whose processes only the container's client is ours to see
                yield replace(server, local=False)
        finally:
            _remove(self._client, [name], REMOVE_SECONDS)


def end_leftovers(lock_mark: str) -> int:
    """Remove containers that an earlier holder of these locks left behind; returns how many.

    Where no client is installed, or its daemon does not answer, none can be running.
    """
    removed = 0
    for client in CLIENTS:
        if shutil.which(client) is None:
            continue
        for path in lock_mark.split(os.pathsep):
            names = _names(client, f"label={_label(path)}")
            removed += len(names)
            _remove(client, names, REAP_SECONDS)
    return removed


def _run(client: str, name: str, lock_mark: str) -> tuple[str, ...]:
    """Host network: nothing stands between client and server. Host IPC: the engine shares memory."""
    labels = [part for path in lock_mark.split(os.pathsep) for part in ("--label", _label(path))]
    return (client, "run", "--rm", "--init", "--name", name, *labels, "--network", "host", "--ipc", "host")


def _require_inside(folder: Path) -> None:
    """Refuse a folder with links to files outside of it, which the container does not see.

    Raises:
        CatalogError: names the first one.
    """
    inside = folder.resolve()
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() and not path.resolve().is_relative_to(inside):
            raise CatalogError(
                f"{path}: a link to a file outside of the folder, which the container does not see: copy the "
                "folder with `cp -rL`"
            )


def _label(lock: str) -> str:
    """One label per lock, as a run may hold several GPUs: `jouleboard.lock.gpu-0=/home/locks/gpu-0.lock`."""
    return f"{LABEL}.{Path(lock).stem}={lock}"


def _mounted(mounts: Mapping[str, Path]) -> tuple[str, ...]:
    """Read-only, except the hub's cache, which fills."""
    return tuple(
        part
        for inside, outside in mounts.items()
        for part in ("--volume", f"{outside}:{inside}{'' if inside == _HUB_CACHE else ':ro'}")
    )


def _variables(variables: Mapping[str, str], *, hub: bool) -> tuple[str, ...]:
    """Options that pass environment variables.

    A secret is passed by name alone, and only to what loads from the hub: the client takes its value from its
    own environment.
    """
    settings = [f"{name}={value}" for name, value in variables.items()]
    by_name = [name for name in ("HF_TOKEN", "HF_ENDPOINT") if hub and os.environ.get(name)]
    return tuple(part for entry in (*settings, *by_name) for part in ("--env", entry))


def _hub_cache() -> Path:
    home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    home.mkdir(parents=True, exist_ok=True)
    return home


def _names(client: str, matching: str) -> list[str]:
    with contextlib.suppress(EnvironmentBuildError):
        return _ask(REAP_SECONDS, client, "ps", "--all", "--quiet", "--filter", matching).split()
    return []


def _remove(client: str, names: Sequence[str], seconds: float) -> None:
    """Kill and remove the container, if it still exists."""
    if names:
        with contextlib.suppress(EnvironmentBuildError):
            _ask(seconds, client, "rm", "--force", "--volumes", *names)


def _succeeds(*command: str) -> bool:
    try:
        _ask(ASK_SECONDS, *command)
    except EnvironmentBuildError:
        return False
    return True


def _ask(seconds: float, *command: str) -> str:
    """What a client's command prints.

    Raises:
        EnvironmentBuildError: it failed or took too long; carries its last line.
    """
    what = " ".join(command[:2])
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=True)
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip().splitlines() or ["no output"])[-1]
        raise EnvironmentBuildError(f"{what} failed: {last}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EnvironmentBuildError(f"{what} failed: {error}") from error
    return answer.stdout
