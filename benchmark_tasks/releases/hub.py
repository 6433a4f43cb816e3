"""What a Hugging Face-compatible model hub offers, through the hub's own client.

Lists, descriptions, `config.json` and the headers of weight files are read; whole files are fetched only for
a measurement (`download`). No code of a repository is run. Every answer of the hub is checked before it is
used. A question that fails is not repeated, because the next watch asks again; a transfer is.
"""

from __future__ import annotations

import codecs
import errno
import glob
import hashlib
import json
import logging
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import orjson
from pydantic import Field, ValidationError

from benchmark_tasks.addresses import require_address, without_credentials
from benchmark_tasks.catalog.fields import DESCRIPTION_ONLY, Commit, HubId
from benchmark_tasks.deadlines import within
from benchmark_tasks.errors import DiskFull, HubRefused, IndexUnreachable, of_this_machine
from benchmark_tasks.results.record import Count, Record
from benchmark_tasks.settings import Settings

if TYPE_CHECKING:
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import ModelInfo

PUBLIC_HUB = "https://huggingface.co"
TIMEOUT_SECONDS = 30.0
WHOLE_SECONDS = 300.0
"""For all of an answer, however slowly it comes."""
LONGEST_LIST = 20_000
LARGEST_CONFIG_BYTES = 1 << 20
MOST_WEIGHT_FILES = 400

_LISTED: list[Any] = [
    "config",
    "createdAt",
    "disabled",
    "gated",
    "pipeline_tag",
    "private",
    "safetensors",
    "sha",
    "tags",
]
GIB = 1 << 30

_FORMATS = (".safetensors", ".bin", ".pt")
"""Weights in the order in which a server prefers them; of several, one is loaded."""

_NEVER_LOADED = re.compile(
    r"(^|/)(original|metal|onnx|coreml|openvino)/|\.(gguf|onnx|h5|msgpack|ot|pth|tflite|png|jpe?g|gif|webp|mp4|pdf)$",
    re.IGNORECASE,
)
"""What a repository may have beside the model."""

_PATIENT = threading.Event()
"""Whether requests that fail are repeated by the hub's client, not raised at once."""

_WEIGHTS = re.compile(r"model[A-Za-z0-9_.-]*\.safetensors")

Text = Annotated[str, Field(max_length=200)]


def _silent(line: str) -> None:
    """Say nothing."""


class ListedModel(Record):
    """A model as the hub lists it. What the hub does not say is `None`."""

    model_id: HubId
    revision: Commit
    created_at: datetime | None
    pipeline_tag: Text | None
    tags: tuple[Text, ...]
    architectures: tuple[Text, ...]
    total_params: Annotated[int, Field(ge=0, le=10**15)] | None
    params_by_dtype: dict[Text, Annotated[int, Field(ge=0, le=10**15)]] = {}
    gated: bool
    available: bool


class HubFile(Record):
    """A file of a repository. `content`: the hub's hash of it."""

    path: Annotated[str, Field(max_length=1000)]
    size_bytes: Count | None
    content: Text | None


class Repository(Record):
    """A model's repository at one commit."""

    model: ListedModel
    files: tuple[HubFile, ...]

    @property
    def content(self) -> str:
        """Hash over the files that decide what is measured: all except descriptions, licences and pictures.

        If the hub gives no hashes, every commit counts as different content.
        """
        deciding = sorted((f.path, f.content) for f in self.files if not DESCRIPTION_ONLY.search(f.path))
        if not deciding or any(content is None for _, content in deciding):
            deciding = [("commit", self.model.revision)]
        return hashlib.sha256(json.dumps(deciding).encode()).hexdigest()

    @property
    def weights(self) -> tuple[HubFile, ...]:
        """The files that a server loads."""
        return tuple(file for file in self.files if _WEIGHTS.fullmatch(file.path))


class Tensor(Record):
    """A tensor as a weight file's header describes it."""

    name: str
    dtype: str
    parameters: Count


class Hub:
    """A model hub.

    Every method raises one of two errors, in one line and without secrets:

    IndexUnreachable: the hub did not answer, or its answer is not valid.
    HubRefused: the hub does not have what was asked for, or does not give it to us.
    """

    def __init__(self, settings: Settings) -> None:
        endpoint = require_address(settings.hub_url or PUBLIC_HUB, "the model hub (HF_ENDPOINT)").rstrip("/")
        self.shown = without_credentials(endpoint)
        if settings.hub_offline:
            raise IndexUnreachable(f"model hub {self.shown} is not asked: HF_HUB_OFFLINE is set")
        self._api = _client(endpoint, self.shown)

    def models(self, organisation: str, pipeline_tag: str) -> tuple[list[ListedModel], list[str]]:
        """An organisation's models with a pipeline tag, and one line per entry that cannot be read."""
        models, unreadable = [], []
        with self._in_our_words(f"the models of {organisation}"):
            listing = self._api.list_models(author=organisation, pipeline_tag=pipeline_tag, expand=_LISTED)
            for count, information in enumerate(islice(listing, LONGEST_LIST + 1)):
                if count == LONGEST_LIST:
                    self._answered_invalidly(f"the models of {organisation} (an endless list)")
                try:
                    models.append(_listed(information))
                except (ValidationError, TypeError, AttributeError) as error:
                    unreadable.append(f"{_plain(information.id)}: skipped, {_first_reason(error)}")
        # Only models of the organisation itself count.
        own = [model for model in models if model.model_id.split("/")[0].lower() == organisation.lower()]
        unreadable += [
            f"{model.model_id}: skipped, not of {organisation}" for model in models if model not in own
        ]
        return own, unreadable

    def repository(self, model_id: str, revision: str | None = None) -> Repository:
        """A model at a commit, by default the newest one, with its files."""
        with self._in_our_words(model_id):
            information = self._api.model_info(
                model_id, revision=revision, files_metadata=True, timeout=TIMEOUT_SECONDS
            )
            model = _listed(information)
            files = [_file(sibling) for sibling in information.siblings or ()]
        if model.model_id.lower() != model_id.lower():
            raise HubRefused(f"{model_id} is now called {model.model_id} on the hub: change the catalog")
        return Repository(model=model, files=tuple(files))

    def commit(self, model_id: str, revision: str | None = None) -> str:
        """The commit that a branch or tag of a model stands for now; by default the newest one."""
        with self._in_our_words(model_id):
            information = self._api.model_info(
                model_id, revision=revision, expand=["sha"], timeout=TIMEOUT_SECONDS
            )
            if not isinstance(information.sha, str) or not re.fullmatch("[0-9a-f]{40}", information.sha):
                raise ValueError("no commit")
        return information.sha

    def config(self, repository: Repository) -> dict[str, Any]:
        """A model's `config.json`."""
        model = repository.model
        listed = next((file for file in repository.files if file.path == "config.json"), None)
        if listed is None:
            raise HubRefused(f"{model.model_id} has no config.json: not a model that can be proposed")
        if (listed.size_bytes or 0) > LARGEST_CONFIG_BYTES:
            raise HubRefused(f"{model.model_id}: config.json is too large: {listed.size_bytes} bytes")
        with tempfile.TemporaryDirectory(prefix="jouleboard-hub-") as cache:
            with self._in_our_words(f"config.json of {model.model_id}"):
                path = Path(
                    self._api.hf_hub_download(
                        model.model_id, "config.json", revision=model.revision, cache_dir=cache
                    )
                )
            return _object(path.read_bytes()[: LARGEST_CONFIG_BYTES + 1], model.model_id)

    def tensors(self, repository: Repository) -> list[Tensor]:
        """Every tensor of a model's weight files, from their headers."""
        model, files = repository.model, repository.weights
        if not files:
            raise HubRefused(f"{model.model_id} has no model*.safetensors")
        if len(files) > MOST_WEIGHT_FILES:
            raise HubRefused(
                f"{model.model_id} has {len(files)} weight files, more than the limit of {MOST_WEIGHT_FILES}"
            )
        tensors: list[Tensor] = []
        for file in files:
            with self._in_our_words(f"{file.path} of {model.model_id}"):
                header = self._api.parse_safetensors_file_metadata(
                    model.model_id, file.path, revision=model.revision, timeout=TIMEOUT_SECONDS
                )
                tensors += [_tensor(name, tensor) for name, tensor in header.tensors.items()]
        return tensors

    def download(
        self,
        repository: Repository,
        cache: Path,
        *,
        small: bool = False,
        say: Callable[[str], None] = _silent,
    ) -> Path:
        """The folder with the files that a server loads, fetched into the cache of the hub's client.

        What the cache has already is not fetched again. A connection that breaks is taken up where it broke.

        Args:
            cache: the client's own folder. small: only what is not weights, such as the tokenizer.

        Raises:
            DiskFull: the cache's disk has not enough room for what is missing.
        """
        from huggingface_hub import snapshot_download, try_to_load_from_cache

        model, wanted = repository.model, _loaded(repository.files, small=small)
        missing = sum(
            file.size_bytes or 0
            for file in wanted
            if not isinstance(try_to_load_from_cache(model.model_id, file.path, cache, model.revision), str)
        )
        if missing:
            _require_room(missing, cache, model.model_id)
        if missing >= GIB:
            say(f"fetching {missing / GIB:.1f} GiB of {model.model_id} from {self.shown}")
        with self._in_our_words(f"the files of {model.model_id}"), self._patiently():
            return Path(
                snapshot_download(
                    model.model_id,
                    revision=model.revision,
                    cache_dir=cache,
                    endpoint=self._api.endpoint,
                    allow_patterns=[glob.escape(file.path) for file in wanted],
                )
            )

    @contextmanager
    def _patiently(self) -> Iterator[None]:
        """Let the hub's client try again by itself, as it does for files, whose transfer may take hours."""
        _PATIENT.set()
        try:
            yield
        finally:
            _PATIENT.clear()

    @contextmanager
    def _in_our_words(self, what: str) -> Iterator[None]:
        """Turn the client's errors into ours. Its messages may quote a request, so none is passed on."""
        import httpx2
        from huggingface_hub import errors

        try:
            yield
        except errors.GatedRepoError:
            refused = f"{what}: gated; accept its terms on {self.shown} and set HF_TOKEN"
        except errors.LocalEntryNotFoundError as error:
            cause = error.__cause__
            raise _unreachable(self.shown, f"failed to answer ({type(cause or error).__name__})") from None
        except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError, errors.EntryNotFoundError):
            refused = (
                f"{what}: {self.shown} does not have it, or it is private: check the name, or set HF_TOKEN"
            )
        except errors.HFValidationError:
            refused = f"{_plain(what)}: not a valid name on a hub"
        except errors.HfHubHTTPError as error:
            status = error.response.status_code
            hint = "; check HF_TOKEN" if status in (401, 403) else ""
            refused = f"{what}: {self.shown} answered {status}{hint}"
        except (httpx2.RequestError, httpx2.StreamError) as error:
            raise _unreachable(self.shown, f"failed to answer ({type(error).__name__})") from None
        except (errors.SafetensorsParsingError, ValidationError, *_INVALID_ANSWER) as error:
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DiskFull(
                    f"no space left for {what}: free some space, or set HF_HOME to a larger disk"
                ) from None
            if isinstance(error, OSError) and (line := of_this_machine(error)):
                raise HubRefused(line) from None
            if isinstance(error, OSError) and "Consistency check failed" in str(error):
                raise _unreachable(self.shown, f"broke off {what}") from None
            self._answered_invalidly(what)
        else:
            return
        raise HubRefused(refused) from None

    def _answered_invalidly(self, what: str) -> NoReturn:
        raise _unreachable(self.shown, f"gave an answer that is not valid for {what}") from None


_INVALID_ANSWER = (ValueError, KeyError, TypeError, AttributeError, RecursionError, OSError)


def _client(endpoint: str, shown: str) -> HfApi:
    """The hub's client, without its telemetry and without its own repetitions, which take minutes."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    try:
        import httpx2
        import huggingface_hub
        from huggingface_hub.utils._http import hf_request_event_hook
    except ModuleNotFoundError as error:
        raise HubRefused(
            f"asking the model hub needs {error.name}: install the control plane (pip install jouleboard)"
        ) from error

    class AskedOnce(httpx2.Client):
        """Raises at the first failure; the hub's client would try again for minutes."""

        def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
            if _PATIENT.is_set():
                return super().send(request, **options)
            send = super().send
            try:
                response = within(WHOLE_SECONDS, lambda: send(request, **options), shown)
            except TimeoutError:
                what = f"did not send all of its answer within {WHOLE_SECONDS:.0f} s"
            except httpx2.TimeoutException:
                what = f"did not answer within {TIMEOUT_SECONDS:.0f} s"
            except httpx2.RequestError as error:
                what = f"cannot be reached ({type(error).__name__})"
            else:
                if response.status_code != 429 and response.status_code < 500:
                    return response
                response.close()
                what = f"answered {response.status_code}"
            raise _unreachable(shown, what) from None

    hooks = {"request": [hf_request_event_hook]}
    directly = {f"all://{host}": None for host in ("localhost", "127.0.0.1", "[::1]")}  # behind no proxy
    huggingface_hub.logging.set_verbosity_error()
    logging.getLogger("httpx2").setLevel(logging.WARNING)  # it logs every request
    huggingface_hub.set_client_factory(
        lambda: AskedOnce(event_hooks=hooks, follow_redirects=True, timeout=TIMEOUT_SECONDS, mounts=directly)
    )
    return huggingface_hub.HfApi(endpoint=endpoint, library_name="jouleboard")


def bytes_loaded(repository: Repository) -> int:
    """How many bytes `Hub.download` fetches at most."""
    return sum(file.size_bytes or 0 for file in _loaded(repository.files, small=False))


def _loaded(files: Iterable[HubFile], *, small: bool) -> list[HubFile]:
    """The files that a server may load: one format of weights, and what is neither weights nor a picture."""
    wanted = [file for file in files if not _NEVER_LOADED.search(file.path)]
    weights = [file for file in wanted if file.path.endswith(_FORMATS)]
    chosen = next((ending for ending in _FORMATS if any(file.path.endswith(ending) for file in weights)), "")
    return [file for file in wanted if file not in weights or (file.path.endswith(chosen) and not small)]


def _require_room(missing: int, cache: Path, model_id: str) -> None:
    there = next(folder for folder in (cache, *cache.absolute().parents) if folder.exists())
    free = shutil.disk_usage(there).free
    if missing > free:
        raise DiskFull(
            f"{model_id} needs {missing / GIB:.1f} GiB more, and {free / GIB:.1f} GiB are free in {cache}: "
            "free some space, or set HF_HOME to a larger disk"
        )


def _unreachable(shown: str, what: str) -> IndexUnreachable:
    return IndexUnreachable(
        f"model hub {shown} {what}: try again later, check HF_ENDPOINT, or set HF_HUB_OFFLINE=1 to ask no hub"
    )


def _listed(information: ModelInfo) -> ListedModel:
    """The checked fields of an entry."""
    weights = information.safetensors
    config = information.config if isinstance(information.config, dict) else {}
    return ListedModel(
        model_id=information.id,
        revision=information.sha,
        created_at=information.created_at,
        pipeline_tag=information.pipeline_tag,
        tags=_texts(information.tags),
        architectures=_texts(config.get("architectures")),
        total_params=weights.total if weights else None,
        params_by_dtype=weights.parameters if weights else {},
        gated=bool(information.gated),
        available=not (information.private or information.disabled),
    )


def _texts(value: Any) -> tuple[str, ...]:
    """The short texts in a list that an uploader wrote; everything else in it is ignored."""
    listed = value if isinstance(value, list) else []
    return tuple(text for text in listed if isinstance(text, str) and len(text) <= 200)


def _file(sibling: Any) -> HubFile:
    content = sibling.lfs.sha256 if sibling.lfs else sibling.blob_id
    return HubFile(path=sibling.rfilename, size_bytes=sibling.size, content=content)


def _tensor(name: str, tensor: Any) -> Tensor:
    parameters = 1
    for length in tensor.shape:
        parameters *= length
    return Tensor(name=name, dtype=tensor.dtype, parameters=parameters)


def _object(content: bytes, model_id: str) -> dict[str, Any]:
    """A JSON object; NaN and infinity are refused."""
    try:
        parsed = orjson.loads(content.removeprefix(codecs.BOM_UTF8))
    except ValueError:
        raise HubRefused(f"{model_id}: config.json is not JSON") from None
    if not isinstance(parsed, dict):
        raise HubRefused(f"{model_id}: config.json is not a JSON object")
    return parsed


def _first_reason(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return "the entry has another form"
    first = error.errors()[0]
    return f"{'.'.join(str(part) for part in first['loc'])} is not valid"


def _plain(text: object) -> str:
    """A text as one printable line of at most 120 characters."""
    shown = str(text).encode("ascii", "backslashreplace").decode()
    return "".join(char if char.isprintable() else "?" for char in shown)[:120]
