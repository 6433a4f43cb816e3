"""A server that somebody else runs: asked what it is, driven, never started or stopped."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit

import orjson

from benchmark_tasks.client.address import Address, refused_certificate
from benchmark_tasks.errors import GpuBusy, ServerDied, ServerError, SettingsError, UnknownVersion
from benchmark_tasks.releases.version_numbers import LONGEST_VERSION, read_version
from benchmark_tasks.results.schema import new_run_id
from benchmark_tasks.runtimes.interpreter import same_release
from benchmark_tasks.runtimes.kinds import RuntimeKind, ServerContract, Setup, kind_of
from benchmark_tasks.runtimes.launch import AtEndpoint, Launch
from benchmark_tasks.runtimes.server import RunningServer, ServerSpec, get

REST_SECONDS = 5.0
"""How long an endpoint may take to come to rest after its last request."""


def version_of(url: str, kind: RuntimeKind, key: str | None = None) -> str:
    """The runtime's version as the endpoint says it.

    Raises:
        ServerError: it does not answer, or not as that runtime does.
    """
    said = str(_ask(url, kind.server.version_path, kind, key).get("version"))
    try:
        read_version(said)
    except UnknownVersion as error:
        raise ServerError(
            f"{url} says its version is {said[:LONGEST_VERSION]!r}: is this a {kind.title} server?"
        ) from error
    return said


def look_at(
    endpoint: AtEndpoint, setup: Setup, say: Callable[[str], None], key: str | None = None
) -> Endpoint:
    """An endpoint that is up, of the version the sweep names, and serves the model.

    key: bearer token, if the server requires one.

    Raises:
        ServerError: it does not answer, or not as that runtime does.
        UnknownVersion: it runs another version.
        SettingsError: GPUs are named that cannot be its own.
        GpuBusy: it answers other requests.
    """
    kind = kind_of(setup.runtime)
    version = version_of(endpoint.url, kind, key)
    if not same_release(version, setup.runtime_version):
        raise UnknownVersion(
            f"{endpoint.url} runs {setup.runtime} {version}, not {setup.runtime_version}: "
            f"name that version, or another endpoint"
        )
    if endpoint.gpu_indices and not _is_here(endpoint.url):
        raise SettingsError(
            f"{endpoint.url} is on another machine: its GPUs cannot be read from here, name none"
        )
    name, root = _model_of(endpoint.url, kind, key, setup.model_id)
    if setup.model_id not in (name, root):
        say(f"{endpoint.url} calls its model {name} ({root}); recorded as {setup.model_id}, as you named it")
    server = Endpoint(kind.server, endpoint.url, name, root, {str(setup.runtime): version}, key)
    server.require_idle()
    return server


class Endpoint:
    """A server that runs already."""

    image: str | None = None

    def __init__(
        self,
        contract: ServerContract,
        url: str,
        name: str,
        root: str,
        packages: Mapping[str, str],
        key: str | None = None,
    ) -> None:
        self._contract = contract
        self._url = base_of(url)
        self._key = key
        self._root = root
        self.served_model_name = name
        self.packages = packages

    def spec(self, launch: Launch) -> ServerSpec:
        """Nothing is started: instead of a command, the record has the address and the model's name there."""
        told = (
            f"--endpoint={self._url}",
            f"--served-model-name={self.served_model_name}",
            f"--root={self._root}",
        )
        return ServerSpec(
            self._contract, told, {}, Address.of(self._url).port, launch.log, launch.start_seconds
        )

    @contextlib.contextmanager
    def serve(self, spec: ServerSpec) -> Iterator[RunningServer]:
        """The endpoint, which is not stopped afterwards."""
        spec.log.write_text(f"{self._url} is not run by this program; its log is where it was started\n")
        yield self._running(spec)

    def require_idle(self) -> None:
        """Refuse an endpoint that answers requests of others.

        Raises:
            ServerError: it has no `/metrics`, or a page without the runtime's own, so nobody can tell.
            GpuBusy: it answers other requests.
        """
        server = self._running(None)
        try:
            running = server.running_requests(REST_SECONDS)
            tells = bool(server.read_metrics())
        except ServerDied as error:
            raise ServerError(
                f"{self._url}/metrics does not answer: start the server with its metrics"
            ) from error
        if not tells:
            raise ServerError(
                f"{self._url}/metrics has no metric of the server, so nobody can tell whether it is idle: "
                "start the server with its metrics"
            )
        if running:
            raise GpuBusy(f"{self._url} runs {running:g} other requests: measure it when it is idle")

    def _running(self, spec: ServerSpec | None) -> RunningServer:
        command, log = (spec.command, spec.log) if spec else ((), Path(os.devnull))
        return RunningServer(new_run_id(), self._contract, self._url, command, log, 0.0, None, key=self._key)


def base_of(url: str) -> str:
    """What comes before a server's paths; an address may end in `/v1`, as OpenAI's clients have it."""
    return url.rstrip("/").removesuffix("/v1")


def _ask(url: str, path: str, kind: RuntimeKind, key: str | None) -> dict[str, object]:
    try:
        answer = orjson.loads(get(base_of(url) + path, key))
    except HTTPError as error:
        raise ServerError(_refusal(url, error)) from error
    except OSError as error:
        if refused := refused_certificate(error):
            raise ServerError(f"{url}: {refused}") from error
        raise ServerError(f"{url} does not answer ({error}): start it, or correct --endpoint") from error
    except ValueError as error:
        raise ServerError(f"{url}{path} is not what {kind.title} answers: is this its address?") from error
    return answer if isinstance(answer, dict) else {}


def _refusal(url: str, error: HTTPError) -> str:
    """What an endpoint that answers with an error wants."""
    if error.code in (401, 403):
        return f"{url} requires a key (HTTP {error.code}): set JOULEBOARD_ENDPOINT_KEY"
    if 300 <= error.code < 400:
        return f"{url} redirects to {error.headers.get('Location')}: give that address to --endpoint"
    if retry := error.headers.get("Retry-After"):
        return f"{url} accepts no requests now (HTTP {error.code}, Retry-After: {retry}): measure it later"
    return f"{url} answers HTTP {error.code} ({error.reason}): correct --endpoint"


def _model_of(url: str, kind: RuntimeKind, key: str | None, wanted: str) -> tuple[str, str]:
    """Name and root of the model to measure: the one that has this name or root, or the only one.

    Several names of one model are one; adapters (entries with a `parent`) are measured only if named.
    """
    listed = _ask(url, "/v1/models", kind, key).get("data")
    entries = [
        entry
        for entry in (listed if isinstance(listed, list) else [])
        if isinstance(entry, dict) and _is_text(entry.get("id"))
    ]
    if not entries:
        raise ServerError(f"{url}/v1/models lists no model by its name: is this a {kind.title} server?")
    named = [(str(each["id"]), _root_of(each)) for each in entries]
    own = [(str(each["id"]), _root_of(each)) for each in entries if not _is_text(each.get("parent"))]
    for chosen in (
        [each for each in named if each[0] == wanted],
        [each for each in named if each[1] == wanted],
        own if len({root for _, root in own}) == 1 else [],
    ):
        if chosen:
            return chosen[0]
    raise ServerError(
        f"{url} serves {', '.join(name for name, _ in named)}, and none is called {wanted}: "
        f"start it with --served-model-name {wanted}, or with one model alone"
    )


def _root_of(entry: Mapping[str, object]) -> str:
    root = entry.get("root")
    return str(root) if _is_text(root) else str(entry["id"])


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_here(url: str) -> bool:
    """Whether the address is one of this machine's: only those can be listened on."""
    try:
        addresses = socket.getaddrinfo(urlsplit(url).hostname, 0, type=socket.SOCK_STREAM)
    except OSError:
        return False
    return any(_can_listen(family, address) for family, _, _, _, address in addresses)


def _can_listen(family: int, address: tuple[object, ...]) -> bool:
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        try:
            probe.bind(address)
        except OSError:
            return False
    return True
