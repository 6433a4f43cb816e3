"""A model hub on the loopback interface, with the shapes of Hugging Face's API.

    with ModelHub() as hub:
        hub.add("Qwen/Qwen3-9B", config={...}, tensors={"model.safetensors": {...}})
        ... HF_ENDPOINT=hub.url

Lists come in pages (`Link` headers), files with ETags and commits. Weight files lie on another host (`cdn`),
to which the hub redirects with a signed address, and come by ranges. Errors are the hub's, `X-Error-Code`
included; `faults` makes it misbehave, and `breaks` makes the other host hang up.
"""

from __future__ import annotations

import hashlib
import json
import re
import struct
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

PAGE_SIZE = 2
_LARGE = (".safetensors", ".parquet")
"""Endings of files that are not in the repository itself (Git LFS)."""

_SIZES = {"BF16": 2, "F32": 4, "F16": 2, "F8_E4M3": 1, "U8": 1, "I32": 4}


@dataclass
class Model:
    """A repository: its newest commit, its files, and what the API says of it."""

    model_id: str
    files: dict[str, bytes]
    sizes: dict[str, int]
    information: dict[str, Any]
    revision: str = ""

    def commit(self, **files: bytes | None) -> str:
        """Change files (`None` removes one) under a new commit."""
        for name, content in files.items():
            self.files.pop(name, None)
            if content is not None:
                self.files[name] = content
        number = hashlib.sha1(f"{self.model_id} {self.revision}".encode())
        for name in sorted(self.files):
            number.update(name.encode() + self.files[name])
        self.revision = number.hexdigest()
        return self.revision

    def entry(self, fields: list[str] | None, blobs: bool) -> dict[str, Any]:
        """The API's JSON: the fields asked for, or all."""
        siblings = [self._sibling(name, blobs) for name in sorted(self.files)]
        known = {**self.information, "sha": self.revision, "siblings": siblings}
        chosen = known if fields is None else {name: known[name] for name in fields if name in known}
        return {"_id": "0" * 24, "id": self.model_id, "modelId": self.model_id, **chosen}

    def _sibling(self, name: str, blobs: bool) -> dict[str, Any]:
        if not blobs:
            return {"rfilename": name}
        content = self.files[name]
        size = self.sizes.get(name, len(content))
        about: dict[str, Any] = {
            "rfilename": name,
            "size": size,
            "blobId": hashlib.sha1(content).hexdigest(),
        }
        if name.endswith(_LARGE):
            sha256 = hashlib.sha256(content).hexdigest()
            about["lfs"] = {"sha256": sha256, "size": size, "pointerSize": 135}
        return about


@dataclass
class ModelHub:
    """The hub. `asked` lists the requests; `faults` maps a part of a path to a status, or to a body.

    `entries`: more raw entries of lists, by organisation. `gated`: ids whose files are refused.
    `breaks`: by file, after how many bytes of the whole file the connection ends, one number per answer.
    `stored`: what the other host was asked: file, range, and whether the token was sent along.
    """

    models: dict[str, Model] = field(default_factory=dict)
    entries: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    gated: set[str] = field(default_factory=set)
    faults: dict[str, int | bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    breaks: dict[str, list[int]] = field(default_factory=dict)
    stored: list[tuple[str, str | None, bool]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """What to set `HF_ENDPOINT` to."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def add(
        self,
        model_id: str,
        *,
        config: Mapping[str, Any] | bytes | None = None,
        tensors: Mapping[str, Mapping[str, tuple[str, list[int]]]] | None = None,
        safetensors: bool = True,
        created_at: datetime = datetime(2026, 11, 20, tzinfo=UTC),
        pipeline_tag: str = "text-generation",
        tags: tuple[str, ...] = ("safetensors",),
        **information: Any,
    ) -> Model:
        """Offer a model. tensors: by file, name -> (dtype, shape); safetensors: whether the API counts."""
        files: dict[str, bytes] = {"README.md": b"# a model", "tokenizer_config.json": b"{}"}
        sizes: dict[str, int] = {}
        counts: dict[str, int] = {}
        if config is not None:
            files["config.json"] = config if isinstance(config, bytes) else json.dumps(config).encode()
        for name, described in (tensors or {}).items():
            files[name], sizes[name] = _weights(described, counts)
        known = {
            "author": model_id.split("/", maxsplit=1)[0],
            "createdAt": f"{created_at:%Y-%m-%dT%H:%M:%S.000Z}",
            "lastModified": f"{created_at:%Y-%m-%dT%H:%M:%S.000Z}",
            "private": False,
            "disabled": False,
            "gated": False,
            "downloads": 0,
            "likes": 0,
            "pipeline_tag": pipeline_tag,
            "library_name": "transformers",
            "tags": list(tags),
        }
        if isinstance(config, Mapping):
            known["config"] = {
                name: config[name] for name in ("architectures", "model_type") if name in config
            }
        if safetensors and counts:
            known["safetensors"] = {"parameters": counts, "total": sum(counts.values())}
        self.models[model_id] = model = Model(model_id, files, sizes, {**known, **information})
        model.commit()
        return model

    @property
    def cdn(self) -> str:
        """The other host, where large files are."""
        return f"http://localhost:{self._cdn.server_port}"

    def add_data_set(self, hub_id: str, files: Mapping[str, bytes]) -> Model:
        """Offer a data set, which is in `models` (and `gated`) as `datasets/<hub_id>`."""
        information = {
            "author": hub_id.split("/", maxsplit=1)[0],
            "private": False,
            "gated": False,
            "tags": [],
        }
        self.models[f"datasets/{hub_id}"] = data_set = Model(hub_id, dict(files), {}, information)
        data_set.commit()
        return data_set

    def __enter__(self) -> ModelHub:
        self._server, self._cdn = self._serving(_Handler), self._serving(_Cdn)
        return self

    def _serving(self, handler: type[_Handler]) -> ThreadingHTTPServer:
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, self))
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return server

    def __exit__(self, *exc: object) -> None:
        for server in (self._server, self._cdn):
            server.shutdown()
            server.server_close()


def _weights(described: Mapping[str, tuple[str, list[int]]], counts: dict[str, int]) -> tuple[bytes, int]:
    """A safetensors file's beginning (nobody reads further), and the size the whole would have."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name, (dtype, shape) in described.items():
        parameters = 1
        for length in shape:
            parameters *= length
        counts[dtype] = counts.get(dtype, 0) + parameters
        end = offset + parameters * _SIZES[dtype]
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text, 8 + len(text) + offset


class _Handler(BaseHTTPRequestHandler):
    """Answers one connection from a hub's models."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body in one packet: apart they wait for an acknowledgement

    def __init__(self, hub: ModelHub, *arguments: Any) -> None:
        self.hub = hub
        super().__init__(*arguments)

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        path, query = unquote(parts.path), parse_qs(parts.query)
        self.hub.asked.append(f"{self.command} {self.path}")
        fault = next((fault for part, fault in self.hub.faults.items() if part in self.path), None)
        if isinstance(fault, bytes):
            self._answer(200, fault, {"Content-Type": "application/json"})
        elif fault is not None:
            self._answer(fault, b"trouble", {"Retry-After": "86400"})
        elif path == "/api/models":
            self._list(query)
        elif match := re.fullmatch(r"/api/(?:models|(datasets))/([^/]+/[^/]+?)(?:/revision/([^/]+))?", path):
            self._information(_key(match[1], match[2]), match[3], query)
        elif match := re.fullmatch(
            r"/api/(?:models|(datasets))/([^/]+/[^/]+?)/(?:tree|paths-info)/([^/]+)(?:/(.+))?", path
        ):
            whole = query.get("recursive", ["true"])[0].lower() == "true"
            self._tree(_key(match[1], match[2]), match[3], match[4] or "", whole=whole)
        elif match := re.fullmatch(r"/(?:(datasets)/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            self._resolve(_key(match[1], match[2]), match[3], match[4])
        else:
            self._refuse(404, "EntryNotFound", "Entry not found")

    do_HEAD = do_GET

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.do_GET()

    def _list(self, query: dict[str, list[str]]) -> None:
        author, tag = query["author"][0], query.get("pipeline_tag", [None])[0]
        fields = query.get("expand")
        models = [
            model.entry(fields, blobs=False)
            for model in self.hub.models.values()
            if model.information["author"] == author and tag in (None, model.information["pipeline_tag"])
        ]
        models += self.hub.entries.get(author, [])
        start = int(query.get("cursor", ["0"])[0])
        headers = {"Content-Type": "application/json; charset=utf-8"}
        if start + PAGE_SIZE < len(models):
            rest = "&".join(
                f"{name}={quote(value)}"
                for name, values in query.items()
                if name != "cursor"
                for value in values
            )
            next_page = f"{self.hub.url}/api/models?{rest}&cursor={start + PAGE_SIZE}"
            headers["Link"] = f'<{next_page}>; rel="next"'
        self._answer(200, json.dumps(models[start : start + PAGE_SIZE]).encode(), headers)

    def _information(self, model_id: str, revision: str | None, query: dict[str, list[str]]) -> None:
        model = self.hub.models.get(model_id)
        if model is None:
            self._refuse(404, "RepoNotFound", "Repository not found")
        elif revision not in (None, "main", model.revision):
            self._refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        else:
            entry = model.entry(query.get("expand"), blobs="blobs" in query)
            self._answer(200, json.dumps(entry).encode(), {"Content-Type": "application/json"})

    def _tree(self, model_id: str, revision: str, folder: str, *, whole: bool) -> None:
        if (model := self._open_to_us(model_id, revision)) is None:
            return
        below = [name for name in sorted(model.files) if name.startswith(folder and f"{folder}/")]
        depth = len(folder) + bool(folder)
        if not below:
            self._refuse(404, "EntryNotFound", "Entry not found")
            return
        folders = {name[:depth] + name[depth:].split("/")[0] for name in below if "/" in name[depth:]}
        files = [name for name in below if whole or "/" not in name[depth:]]
        entries = [_tree_entry(model._sibling(name, blobs=True)) for name in files]
        entries += [{"type": "directory", "path": name, "size": 0, "oid": "0" * 40} for name in folders]
        self._answer(200, json.dumps(entries).encode(), {"Content-Type": "application/json"})

    def _open_to_us(self, model_id: str, revision: str) -> Model | None:
        """A model whose files may be asked for; `None` after a refusal."""
        model = self.hub.models.get(model_id)
        if model is None:
            self._refuse(404, "RepoNotFound", "Repository not found")
        elif model_id in self.hub.gated:
            status = 403 if self.headers.get("Authorization") else 401
            self._refuse(status, "GatedRepo", "Access is restricted")
        elif revision not in ("main", model.revision):
            self._refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        else:
            return model
        return None

    def _resolve(self, model_id: str, revision: str, name: str) -> None:
        if (model := self._open_to_us(model_id, revision)) is None:
            return
        if name not in model.files:
            self._refuse(404, "EntryNotFound", "Entry not found")
        else:
            self._send_model_file(model_id, model, name)

    def _send_model_file(self, key: str, model: Model, name: str) -> None:
        content = model.files[name]
        headers = {"X-Repo-Commit": model.revision, "ETag": f'"{hashlib.sha1(content).hexdigest()}"'}
        if not name.endswith(_LARGE):
            self._send_file(content, headers)
            return
        headers |= {
            "X-Linked-Etag": f'"{hashlib.sha256(content).hexdigest()}"',
            "X-Linked-Size": str(model.sizes.get(name, len(content))),
            "Location": f"{self.hub.cdn}/{key}/{name}?Expires=1&Signature=x~y",
        }
        self._answer(302, b"", headers)

    def _send_file(self, content: bytes, headers: dict[str, str]) -> None:
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if wanted is None:
            self._answer(200, content, {**headers, "Accept-Ranges": "bytes"})
            return
        start, end = int(wanted[1]), min(int(wanted[2] or len(content)), len(content) - 1)
        headers = {**headers, "Content-Range": f"bytes {start}-{end}/{len(content)}"}
        self._answer(206, content[start : end + 1], headers)

    def _refuse(self, status: int, code: str, message: str) -> None:
        headers = {"X-Error-Code": code, "X-Error-Message": message, "Content-Type": "application/json"}
        self._answer(status, json.dumps({"error": message}).encode(), headers)

    def _answer(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        """Quiet."""


class _Cdn(_Handler):
    """The host that large files are on: it knows ranges, and hangs up where `breaks` says so."""

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path).removeprefix("/")
        model_id = next(key for key in self.hub.models if path.startswith(f"{key}/"))
        name = path.removeprefix(f"{model_id}/")
        wanted = self.headers.get("Range")
        self.hub.stored.append((name, wanted, "Authorization" in self.headers))
        content, breaks = self.hub.models[model_id].files[name], self.hub.breaks.get(name)
        if not breaks:
            self._send_file(content, {})
            return
        start = int(re.findall(r"\d+", wanted)[0]) if wanted else 0
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(content) - start))
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        self.wfile.write(content[start : breaks.pop(0)])
        self.wfile.flush()
        self.close_connection = True

    do_HEAD = do_GET


def _key(kind: str | None, hub_id: str) -> str:
    return f"{kind}/{hub_id}" if kind else hub_id


def _tree_entry(sibling: Mapping[str, Any]) -> dict[str, Any]:
    entry = {"type": "file", "path": sibling["rfilename"], "size": sibling["size"], "oid": sibling["blobId"]}
    if (lfs := sibling.get("lfs")) is not None:
        entry["lfs"] = {"oid": lfs["sha256"], "size": lfs["size"], "pointerSize": lfs["pointerSize"]}
    return entry
