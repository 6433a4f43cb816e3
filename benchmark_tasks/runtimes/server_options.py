"""A person's own options for the runtime's server: a YAML file, as the runtime itself takes it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import JsonValue, TypeAdapter, ValidationError

from benchmark_tasks.errors import SettingsError

DECIDED_ELSEWHERE = frozenset(
    [
        "model",
        "served-model-name",
        "host",
        "port",
        "uds",
        "config",
        "max-num-seqs",
        "seed",
        "revision",
        "load-format",
        "dtype",
        "quantization",
        "enable-prefix-caching",
        "mm-processor-cache-gb",
        "limit-mm-per-prompt",
        "tensor-parallel-size",
        "pipeline-parallel-size",
        "data-parallel-size",
        "enable-expert-parallel",
        "trust-remote-code",
        "api-key",
    ]
)
"""Options that are part of the configuration, a comparability key or the method: never from a file."""


def read_server_options(path: Path) -> dict[str, JsonValue]:
    """The options in a vLLM `--config` file, by the names that stand there.

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
        refuse_decided_elsewhere(options)
    except ValueError as error:
        raise SettingsError(f"--server-config {path}: {error}") from error
    return options


def refuse_decided_elsewhere(options: Mapping[str, object]) -> None:
    """
    Raises:
        ValueError: an option decides what is measured, which only the sweep does.
    """
    refused = sorted(name for name in options if flag_of(name) in DECIDED_ELSEWHERE)
    if refused:
        raise ValueError(f"the server option {', '.join(refused)} is decided by the sweep")


def write_server_options(path: Path, options: dict[str, Any]) -> Path:
    """The file that the server gets; its name must end in .yaml."""
    path.write_text(yaml.safe_dump(options, sort_keys=True))
    return path


def flag_of(option: str) -> str:
    """`max_model_len` and `max-model-len` are one option; `no-x` switches `x`."""
    return option.replace("_", "-").removeprefix("no-")
