"""The platform or a GPU host's worker as a service of systemd: `make install-service`.

The unit files come from `units/*.service`. A user's service (`systemctl --user`) needs no root; with
lingering, which is switched on, it starts at boot, too. Root installs a service of the system.
"""

from __future__ import annotations

import argparse
import getpass
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template

from benchmark_tasks import disk
from benchmark_tasks.errors import JouleboardError, SettingsError
from benchmark_tasks.settings import Settings
from jouleboard_airflow.platform.installation import REPOSITORY

UNITS = Path(__file__).with_name("units")
KINDS = {"platform": "jouleboard", "gpu-worker": "jouleboard-gpu-worker"}
"""What can be a service, and the unit's name."""

_TAKEN = (
    *("JOULEBOARD_", "HF_", "UV_", "PIP_", "AWS_", "AIRFLOW_VAR_", "CUDA_VISIBLE_DEVICES"),
    *("PATH", "LD_LIBRARY_PATH", "http_proxy", "https_proxy", "no_proxy"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
)
"""Variables of the installing shell that the service gets, in a file of mode 0600."""

_BOOT = """\
Wants=network-online.target
After=network-online.target
RequiresMountsFor="{home}"
"""
_HARDENING = """\
# Nothing that hides devices or forbids nvidia-modprobe and just-in-time compilers: GPUs need them.
ProtectSystem=full
ProtectControlGroups=yes
ProtectKernelTunables=yes
ProtectKernelLogs=yes
ProtectClock=yes
ProtectHostname=yes
"""
"""Only for a service of the system: for a user's service it takes a user namespace, where groups are lost."""

_SYSTEMCTL_SECONDS = 1500.0
"""Starting returns when the platform is healthy."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Place:
    """Where units lie. user: whom a service of the system runs as; None for a user's own service."""

    units: Path
    user: str | None

    @property
    def systemctl(self) -> list[str]:
        """The command, for this place."""
        return ["systemctl"] if self.user else ["systemctl", "--user"]


def add_options(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The commands `install-service` and `uninstall-service`."""
    for name, what in (
        ("install-service", "start at boot and restart on failure, by systemd"),
        ("uninstall-service", "stop the service and remove it; all data stays"),
    ):
        command = commands.add_parser(name, help=what)
        command.add_argument("kind", nargs="?", choices=tuple(KINDS), default="platform")
        command.add_argument("--user", help="root only: the user that the service runs as (default: root)")
        command.add_argument("--units", type=Path, help="write the unit there, and start nothing")


def install(options: argparse.Namespace, *, say: Say) -> None:
    """Write the unit and its environment, enable it, and start it.

    Raises:
        JouleboardError: systemd refused; says what.
        SettingsError: there is no such user, or systemd is not there.
    """
    place = _place(options)
    name = f"{KINDS[options.kind]}.service"
    settings = Settings.from_environment(os.environ)
    environment = settings.home / f"{KINDS[options.kind]}.env"
    place.units.mkdir(parents=True, exist_ok=True)
    settings.home.mkdir(parents=True, exist_ok=True)
    disk.replace(environment, environment_file(os.environ, settings), mode=disk.PRIVATE)
    disk.replace(place.units / name, unit(options.kind, settings, environment, place.user), mode=0o644)
    say(f"written: {place.units / name}, and the settings of this shell: {environment}")
    if options.units:
        return
    if not place.user:
        _systemd(["loginctl", "enable-linger", getpass.getuser()])
    _systemd([*place.systemctl, "daemon-reload"])
    _systemd([*place.systemctl, "enable", "--now", name])
    say(f"{name} runs, and starts at boot: `{' '.join(place.systemctl)} status {name}`")


def uninstall(options: argparse.Namespace, *, say: Say) -> None:
    """Stop the service and remove its unit and environment.

    Raises:
        JouleboardError: systemd refused; says what.
    """
    place = _place(options)
    name = f"{KINDS[options.kind]}.service"
    if not (place.units / name).exists():
        say(f"nothing to remove: there is no {place.units / name}")
        return
    if not options.units:
        _systemd([*place.systemctl, "disable", "--now", name])
    (place.units / name).unlink()
    (Settings.from_environment(os.environ).home / f"{KINDS[options.kind]}.env").unlink(missing_ok=True)
    if not options.units:
        _systemd([*place.systemctl, "daemon-reload"])
    say(f"removed: {place.units / name}; all data stays")


def unit(kind: str, settings: Settings, environment: Path, user: str | None) -> str:
    """The text of a unit file.

    user: whom a service of the system runs as; None for a user's own service.
    """
    template = Template((UNITS / f"{KINDS[kind]}.service").read_text())
    return template.substitute(
        python=_quoted(sys.executable),
        repository=_path(REPOSITORY),
        environment=_path(environment),
        user=f"User={user}" if user else "",
        boot=_BOOT.format(home=_path(settings.home)) if user else "",
        hardening=_HARDENING if user else "",
        target="multi-user.target" if user else "default.target",
    )


def environment_file(variables: Mapping[str, str], settings: Settings) -> str:
    """The settings of this shell, as systemd reads them."""
    taken = {name: value for name, value in variables.items() if name.startswith(_TAKEN)}
    taken |= {"JOULEBOARD_HOME": str(settings.home), "PYTHONPATH": str(REPOSITORY / "plugins")}
    return "".join(f"{name}={_quoted_value(value)}\n" for name, value in sorted(taken.items()))


def notify_systemd(state: str) -> None:
    """Tell systemd how this process is, as sd_notify(3) describes it; nothing happens without systemd."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as notify:
        try:
            notify.connect(address.replace("@", "\0", 1) if address.startswith("@") else address)
            notify.sendall(state.encode())
        except OSError:
            return  # systemd restarts what it does not hear of


def _place(options: argparse.Namespace) -> Place:
    root = os.geteuid() == 0
    if options.user and not root:
        raise SettingsError("--user: only root installs a service for another user")
    own = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "systemd" / "user"
    units = options.units or (Path("/etc/systemd/system") if root else own)
    if not options.units and not (Path("/run/systemd/system").is_dir() and shutil.which("systemctl")):
        raise SettingsError(
            "systemd does not run here: `make up` starts the platform with its own supervisor; let your "
            "system's means run `python -m jouleboard_airflow.platform run` at boot"
        )
    return Place(units.absolute(), (options.user or "root") if root else None)


def _systemd(command: list[str]) -> None:
    ended = subprocess.run(command, capture_output=True, text=True, timeout=_SYSTEMCTL_SECONDS, check=False)
    if ended.returncode != 0:
        said = (ended.stderr or ended.stdout).strip().splitlines()
        raise JouleboardError(f"{' '.join(command)} failed: {said[0] if said else 'it said nothing'}")


def _path(path: Path) -> str:
    """A path in a unit file: % starts a specifier."""
    return str(path).replace("%", "%%")


def _quoted(text: str) -> str:
    """An argument in a unit file."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'


def _quoted_value(text: str) -> str:
    """A value in an environment file: in double quotes, where these are escaped."""
    for character in '\\"$`':
        text = text.replace(character, f"\\{character}")
    return f'"{text}"'
