"""docker-compose.yml without containers: each service's command and environment, as they stand in the file.

What a container adds is translated, and nothing else: folders of the image and of volumes become folders
here, services' host names and ports become ports of the loopback interface, and the image's own variables
come from the Dockerfile.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import yaml

REPOSITORY = Path(__file__).parents[2]
MAIN = REPOSITORY / "docker-compose.yml"
GPU_HOST = REPOSITORY / "docker-compose.gpu.yml"
TLS = REPOSITORY / "docker-compose.tls.yml"
_VARIABLE = re.compile(r"\$\$|\$\{(\w+)(?:(:[?-])([^}]*))?\}")
_STOP_SECONDS = 40.0


class Missing(Exception):
    """A required variable has no value."""


def load(path: Path, variables: Mapping[str, str], services: Sequence[str] = ()) -> dict[str, Any]:
    """A compose file as compose reads it: variables replaced, `extends` merged.

    services: those to look at; by default all of them.

    Raises:
        Missing: as compose does, before anything starts.
    """
    content = _replaced(yaml.safe_load(path.read_text()), variables)
    found = content["services"]
    for name, service in found.items():
        if extended := service.pop("extends", None):
            base = load(path.with_name(extended["file"]), variables)["services"][extended["service"]]
            found[name] = _merged(base, service)
    return {**content, "services": {name: found[name] for name in services or found}}


def image_variables() -> dict[str, str]:
    """What the Dockerfile sets with ENV; arguments of the build are not given."""
    text = (REPOSITORY / "Dockerfile").read_text().replace("\\\n", " ")
    text = re.sub(r"\$\{[A-Z_]+\}", "", text)
    lines = [line.removeprefix("ENV ") for line in text.splitlines() if line.startswith("ENV ")]
    return dict(pair.split("=", 1) for line in lines for pair in shlex.split(line))


@dataclass
class Host:
    """A machine that services run on, with folders of its own for the image's and the volumes'.

    places: what stands for a path, host name or port of a container, longest first.
    added: variables that only the tests set: ports, and shorter intervals.
    """

    folder: Path
    places: dict[str, str]
    added: dict[str, str] = field(default_factory=dict)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def environment(self, service: Mapping[str, Any], variables: Mapping[str, str]) -> dict[str, str]:
        """A service's variables; one without a value is passed on if it is set."""
        given = {**image_variables(), **service.get("environment", {})}
        passed = {name: variables.get(name) if value is None else value for name, value in given.items()}
        here = {name: self._here(value) for name, value in passed.items() if value is not None}
        own = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "LANG": "C.UTF-8"}
        return own | here | {"HOME": str(self.folder), "PYTHONUNBUFFERED": "1", "SPT_NOENV": "1"} | self.added

    def command(self, service: Mapping[str, Any]) -> list[str]:
        """A service's command with this interpreter's scripts."""
        return [self._here(part) for part in service["command"]]

    def run(self, service: Mapping[str, Any], variables: Mapping[str, str], seconds: float) -> str:
        """Run a service that ends; its output."""
        ended = subprocess.run(
            self.command(service),
            env=self.environment(service, variables),
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout
        return ended.stdout

    def start(self, name: str, service: Mapping[str, Any], variables: Mapping[str, str]) -> None:
        """Start a service that stays; its output goes to `<name>.log`."""
        with self.log(name).open("ab") as log:
            self.running[name] = subprocess.Popen(
                self.command(service),
                env=self.environment(service, variables),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def processes(self) -> list[psutil.Process]:
        """Every process on this host, by the HOME in its environment."""
        home = str(self.folder)
        return [process for process in psutil.process_iter() if _variable(process, "HOME") == home]

    def stop(self) -> None:
        """SIGTERM to the services as `docker compose down` does, then SIGKILL to what is left of them."""
        for process in self.running.values():
            process.terminate()
        for process in self.running.values():
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(_STOP_SECONDS)
        left = self.processes()
        for straggler in left:
            straggler.kill()
        psutil.wait_procs(left, timeout=_STOP_SECONDS)
        self.running.clear()

    def _here(self, text: str) -> str:
        for place in sorted(self.places, key=len, reverse=True):
            text = text.replace(place, self.places[place])
        return text


def _replaced(value: Any, variables: Mapping[str, str]) -> Any:
    match value:
        case dict():
            return {name: _replaced(item, variables) for name, item in value.items()}
        case list():
            return [_replaced(item, variables) for item in value]
        case str():
            return _VARIABLE.sub(lambda match: _value(match, variables), value)
        case _:
            return value


def _value(match: re.Match[str], variables: Mapping[str, str]) -> str:
    name, rule, text = match.groups()
    if name is None:
        return "$"
    if value := variables.get(name):
        return value
    if rule == ":?":
        raise Missing(f"{name}: {text}")
    return text or ""


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Compose's rule for `extends`: mappings merge, lists are joined, the rest is replaced."""
    merged = dict(base)
    for name, value in over.items():
        before = merged.get(name)
        if isinstance(before, dict) and isinstance(value, dict):
            merged[name] = _merged(before, value)
        elif isinstance(before, list) and isinstance(value, list) and name != "command":
            merged[name] = before + value
        else:
            merged[name] = value
    return merged


def _variable(process: psutil.Process, name: str) -> str | None:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return process.environ().get(name)
    except (psutil.Error, OSError):
        return None
