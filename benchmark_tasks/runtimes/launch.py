"""Where a model server can come from, what one is started with, and what makes them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Protocol
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from benchmark_tasks.catalog import Model
from benchmark_tasks.errors import CatalogError
from benchmark_tasks.results.bundle import SERVER_LOG
from benchmark_tasks.results.record import Count, Record
from benchmark_tasks.runtimes.kinds import RuntimeKind, Setup, kind_of, loads_from_hub
from benchmark_tasks.runtimes.model_files import model_source
from benchmark_tasks.runtimes.server import RunningServer, ServerSpec
from benchmark_tasks.runtimes.server_options import write_server_options
from benchmark_tasks.vocabulary import ServerKind, Weights

SERVER_OPTIONS_FILE = "server.yaml"
STAND_IN_FOLDER = "stand-in"


class InEnvironment(Record):
    """The server is a module in an environment of its own version, made on demand."""

    kind: Literal[ServerKind.ENVIRONMENT] = ServerKind.ENVIRONMENT


class InContainer(Record):
    """The server runs in a container. `{version}` in `image` is replaced by the runtime's version."""

    kind: Literal[ServerKind.CONTAINER] = ServerKind.CONTAINER
    image: str = Field(pattern=r"^[A-Za-z0-9][\w.:/@{}-]*$")
    client: Literal["docker", "podman"] = "docker"


class AtEndpoint(Record):
    """Somebody else runs the server: it is driven, never started or stopped.

    `url`: http or https, with a path before the server's own or without; a key stands in the environment.
    `gpu_indices`: the GPUs of this machine that it runs on, as a person knows; without them it has
    no energy.
    """

    kind: Literal[ServerKind.ENDPOINT] = ServerKind.ENDPOINT
    url: str = Field(pattern=r"^https?://[^/\s@?#]+(/[^\s@?#]*)?$")
    gpu_indices: tuple[Count, ...] = ()

    @field_validator("url", mode="before")
    @classmethod
    def _holds_no_secret(cls, url: object) -> object:
        if not isinstance(url, str):
            return url
        if "@" in url:
            raise ValueError(
                "an endpoint's address has no user name or password: remove them; "
                "a key is read from JOULEBOARD_ENDPOINT_KEY"
            )
        if not re.match(r"https?://[^/]", url):
            raise ValueError("an endpoint's address begins with http:// or https:// and a host")
        if re.search(r"[?#\s]", url):
            raise ValueError("an endpoint's address has no query, fragment or white space: remove it")
        return url

    @field_validator("url")
    @classmethod
    def _is_read_alike(cls, url: str) -> str:
        """An address that one program may read in another way than the next is refused."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            hint = "; write an IPv6 address in brackets" if url.count(":") > 2 else ""
            raise ValueError(f"{url} is not an address: {error}{hint}") from error
        if not host or port == 0:
            raise ValueError(f"{url} is not an address: it has no {'port' if host else 'host'} to connect to")
        return url


ServerOrigin = Annotated[InEnvironment | InContainer | AtEndpoint, Field(discriminator="kind")]


@dataclass(frozen=True)
class Launch:
    """What one server of a sweep is started with.

    setup: the sweep, as far as a runtime reads it.
    gpu_indices: physical indices. scratch: a private folder for the server's files and its log.
    """

    setup: Setup
    model: Model
    scratch: Path
    gpu_indices: tuple[int, ...]
    lock_mark: str
    max_num_seqs: int
    seed: int
    start_seconds: float
    port: int | None = None

    @property
    def kind(self) -> RuntimeKind:
        """The runtime."""
        return kind_of(self.setup.runtime)

    @property
    def log(self) -> Path:
        """The server's log."""
        return self.scratch / SERVER_LOG

    def source(self) -> str:
        """What the server loads: a folder, or a hub id.

        Raises:
            CatalogError: the catalog knows too little of the model.
        """
        return model_source(self.model, self.setup.weights, self.scratch, self.setup.weights_folder)

    @property
    def from_hub(self) -> bool:
        """Whether it loads from the hub."""
        return loads_from_hub(self.setup)

    def stand_in_folder(self) -> Path | None:
        """What draws stand-in weights, for the server's PYTHONPATH; `None` where none are asked for.

        Raises:
            CatalogError: the runtime has no way to.
        """
        if self.setup.weights is not Weights.STAND_IN:
            return None
        write = self.kind.server.stand_in_folder
        if write is None:
            raise CatalogError(f"{self.kind.title} has no way to load weights that are drawn")
        return write(self.scratch / STAND_IN_FOLDER)

    def options_file(self) -> Path | None:
        """The setup's `server_options` as the runtime's own YAML file; `None` without any."""
        options = self.setup.server_options
        return write_server_options(self.scratch / SERVER_OPTIONS_FILE, options) if options else None


class Origin(Protocol):
    """Makes the servers of one sweep.

    packages: name and version of what is installed where the server runs, as far as it can be known.
    image: the container's image.
    served_model_name: what requests must call the model.
    """

    packages: Mapping[str, str]
    image: str | None
    served_model_name: str

    def spec(self, launch: Launch) -> ServerSpec:
        """What will be run; its command goes into each run's provenance."""
        ...

    def serve(self, spec: ServerSpec) -> AbstractContextManager[RunningServer]:
        """A healthy server, gone afterwards."""
        ...
