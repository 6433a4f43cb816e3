"""A person's own options for the runtime's server: a YAML file, as the runtime itself takes it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import yaml
from pydantic import JsonValue, TypeAdapter, ValidationError

from benchmark_tasks.errors import SettingsError


def read_server_options(path: Path, refused: Collection[str]) -> dict[str, JsonValue]:
    """The options in a YAML file, by the names that stand there.

    refused: options that the runtime takes from nobody (`ServerContract.refused_options`).

    Raises:
        SettingsError: no such file, no mapping, or an option that is decided elsewhere.
    """
    try:
        options = TypeAdapter(dict[str, JsonValue]).validate_python(yaml.safe_load(path.read_text()))
    except OSError as error:
        raise SettingsError(f"--server-config {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError, ValidationError) as error:
        raise SettingsError(f"--server-config {path}: not a YAML mapping of the server's options") from error
    try:
        require_allowed(options, refused)
    except ValueError as error:
        raise SettingsError(f"--server-config {path}: {error}") from error
    return options


def require_allowed(options: Mapping[str, object], refused: Collection[str]) -> None:
    """Refuse options that a sweep decides.

    Raises:
        ValueError: an option decides what is measured, which only the sweep does; or its name has a dot,
            behind which such an option could stand.
    """
    named = sorted(name for name in options if flag_of(name) in refused)
    if named:
        raise ValueError(f"the server option {', '.join(named)} is decided by the sweep")
    dotted = sorted(name for name in options if "." in name)
    if dotted:
        raise ValueError(
            f"the server option {', '.join(dotted)}: write it as a mapping, its name without the dot first"
        )


def write_server_options(path: Path, options: Mapping[str, JsonValue]) -> Path:
    """The file that the server gets; its name must end in .yaml."""
    path.write_text(yaml.safe_dump(dict(options), sort_keys=True))
    return path


def flag_of(option: str) -> str:
    """`max_model_len` and `max-model-len` are one option; `no-x` switches `x`."""
    return option.replace("_", "-").removeprefix("no-")


def flags(options: Mapping[str, JsonValue]) -> list[str]:
    """`{"max_model_len": 1024, "enforce_eager": True}` as `["--max-model-len=1024", "--enforce-eager"]`."""
    arguments = []
    for name, value in options.items():
        flag = name.replace("_", "-")
        match value:
            case True:
                arguments.append(f"--{flag}")
            case False:
                arguments.append(f"--no-{flag}")
            case None:
                continue
            case _:
                arguments.append(f"--{flag}={value}")
    return arguments
