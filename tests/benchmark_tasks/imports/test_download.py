"""Published files from an address whose connections break: what is asked for again, and what is refused."""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from benchmark_tasks.disk import lock
from benchmark_tasks.errors import ImportBusy, ImportRefused, SourceUnreachable
from benchmark_tasks.imports import download, mlenergy
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.leaderboard import write_leaderboard

LONG = "index.json"
"""The file whose connections break."""


@dataclass
class Site:
    """A server of files.

    cuts: after how many bytes the connections of `LONG` break, one after another; with `has_lengths` false
    that looks like the end of the file. busy: a file that is answered with 503. While `free` is
    clear, requests wait.
    """

    folder: Path
    cuts: list[int] = field(default_factory=list)
    has_etags: bool = True
    has_lengths: bool = True
    busy: str = ""
    digests: dict[str, str] = field(default_factory=dict)
    refusals: list[int] = field(default_factory=list)
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    free: threading.Event = field(default_factory=threading.Event)
    sent: int = 0
    url: str = ""

    def ranges(self) -> list[str | None]:
        """The ranges of `LONG` that were asked for."""
        return [asked for path, asked in self.asked if path == LONG]


class Handler(BaseHTTPRequestHandler):
    """HTTP as nginx speaks it, as far as it is needed here."""

    protocol_version = "HTTP/1.1"
    site: Site

    def do_GET(self) -> None:
        """Answer with a file, a part of it, or that it has not changed."""
        site, name = self.site, self.path.lstrip("/")
        site.asked.append((name, self.headers.get("Range")))
        site.free.wait(60)
        file = site.folder / name
        content = file.read_bytes() if file.is_file() else b""
        etag = self.etag(content)
        if name == LONG and site.refusals:
            self._head(site.refusals.pop(0), 0)
        elif name == site.busy:
            self._head(503, 0)
        elif not file.is_file():
            self._head(404, 0)
        elif site.has_etags and self.headers.get("If-None-Match") == etag:
            self._head(304, 0)
        else:
            self._send(name, content, etag)

    def etag(self, content: bytes) -> str:
        """What the server calls this version of a file."""
        return f'"{hashlib.sha256(content).hexdigest()}"'

    def _send(self, name: str, content: bytes, etag: str) -> None:
        site, begin = self.site, 0
        if (asked := self.headers.get("Range")) and site.has_etags and self.headers.get("If-Range") == etag:
            begin = int(asked.removeprefix("bytes=").removesuffix("-"))
        more = {"ETag": etag} if site.has_etags else {}
        if begin:
            more["Content-Range"] = f"bytes {begin}-{len(content) - 1}/{len(content)}"
        if name in site.digests:
            more["Repr-Digest"] = site.digests[name]
        self._head(206 if begin else 200, len(content) - begin if site.has_lengths else None, **more)
        rest = content[begin:]
        if name == LONG and site.cuts:
            rest = rest[: site.cuts.pop(0)]
            self.close_connection = True
        self.close_connection |= not site.has_lengths
        self.wfile.write(rest)
        site.sent += len(rest) if name == LONG else 0

    def _head(self, status: int, length: int | None, **headers: str) -> None:
        self.send_response(status)
        if length is None:
            self.send_header("Connection", "close")
        else:
            self.send_header("Content-Length", str(length))
        for key, value in headers.items():
            self.send_header(key, value)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(download, "WAITS_SECONDS", (0.0, 0.0))
    made = Site(write_leaderboard(tmp_path / "published"))
    made.free.set()
    handler = type("OfSite", (Handler,), {"site": made})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        made.url = f"http://127.0.0.1:{server.server_port}"
        yield made
        made.free.set()
        server.shutdown()


def fetched(settings: Settings) -> list[Path]:
    every = (settings.imports / "mlenergy-v3" / ".fetched").rglob("*")
    return [path for path in every if path.name != ".lock"]


def test_what_has_arrived_is_not_asked_for_again(site: Site, settings: Settings, tmp_path: Path) -> None:
    site.cuts = [100, 50, 1]
    imported = mlenergy.import_results(site.url, settings)
    assert site.ranges() == [None, "bytes=100-", "bytes=150-", "bytes=151-"]
    assert site.sent == (site.folder / LONG).stat().st_size, "no byte twice"
    assert fetched(settings) == []
    other = Settings(home=tmp_path / "other")
    assert mlenergy.import_results(str(site.folder), other).content_hash == imported.content_hash


def test_the_next_import_goes_on_where_the_last_one_gave_up(site: Site, settings: Settings) -> None:
    site.cuts = [100, 0, 0]
    with pytest.raises(
        SourceUnreachable, match=r"last after 100 bytes .*run it again \(what has arrived is kept"
    ):
        mlenergy.import_results(site.url, settings)
    assert SourceUnreachable.exit_code == 75
    assert mlenergy.current(settings) is None
    site.asked.clear()
    assert mlenergy.import_results(site.url, settings).changed
    assert site.ranges() == ["bytes=100-"]


def test_files_that_arrived_whole_are_asked_for_only_if_they_changed(site: Site, settings: Settings) -> None:
    site.busy = f"models/{sorted((site.folder / 'models').iterdir())[-1].name}"
    with pytest.raises(SourceUnreachable, match="answered 503"):
        mlenergy.import_results(site.url, settings)
    sent, site.busy = site.sent, ""
    assert mlenergy.import_results(site.url, settings).changed
    assert site.sent == sent, "not modified"


def test_a_cut_that_looked_like_the_end_does_not_spoil_the_next_import(
    site: Site, settings: Settings
) -> None:
    site.has_lengths, site.cuts = False, [100]
    with pytest.raises(ImportRefused, match=f"{LONG}: truncated or not JSON"):
        mlenergy.import_results(site.url, settings)
    assert fetched(settings) == []
    assert mlenergy.import_results(site.url, settings).changed


def test_what_was_refused_is_fetched_again_though_its_etag_is_the_same(
    site: Site, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, published = b"<!doctype html>Sign in", (site.folder / LONG).read_bytes()
    monkeypatch.setattr(Handler, "etag", lambda *_: '"one for all"')
    (site.folder / LONG).write_bytes(page)
    with pytest.raises(ImportRefused, match="not JSON"):
        mlenergy.import_results(site.url, settings)
    (site.folder / LONG).write_bytes(published)
    listed = site.folder / "SHA256SUMS"
    listed.write_text(sums(site.folder).replace(hashlib.sha256(published).hexdigest(), "0" * 64))
    with pytest.raises(ImportRefused, match=f"{LONG}: its SHA-256"):
        mlenergy.import_results(site.url, settings)
    listed.write_text(sums(site.folder))
    assert mlenergy.import_results(site.url, settings).changed


def test_bytes_of_two_versions_are_never_joined(site: Site, settings: Settings, tmp_path: Path) -> None:
    site.cuts = [100, 0, 0]
    with pytest.raises(SourceUnreachable):
        mlenergy.import_results(site.url, settings)
    index = (site.folder / LONG).read_text()
    (site.folder / LONG).write_text(index.replace("2026-02-16", "2026-02-17").replace("{", "{ ", 1))
    imported = mlenergy.import_results(site.url, settings)
    other = Settings(home=tmp_path / "other")
    assert mlenergy.import_results(str(site.folder), other).content_hash == imported.content_hash


def test_without_an_etag_a_file_is_fetched_from_its_beginning(site: Site, settings: Settings) -> None:
    site.has_etags, site.cuts = False, [100]
    assert mlenergy.import_results(site.url, settings).changed
    assert site.ranges() == [None, None]


def test_a_server_that_is_busy_is_asked_again_and_not_for_ever(site: Site, settings: Settings) -> None:
    site.refusals = [503, 429]
    assert mlenergy.import_results(site.url, settings).changed
    site.refusals = [503] * 9
    with pytest.raises(SourceUnreachable, match="the server answered 503"):
        mlenergy.import_results(site.url, settings)
    site.refusals = [403]
    with pytest.raises(ImportRefused, match="answered 403; check the address"):
        mlenergy.import_results(site.url, settings)


def test_a_digest_that_the_server_states_is_checked(site: Site, settings: Settings) -> None:
    right = base64.b64encode(hashlib.sha256((site.folder / LONG).read_bytes()).digest()).decode()
    wrong = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
    site.digests = {LONG: f"sha-256=:{wrong}:"}
    with pytest.raises(ImportRefused, match="SHA-256 is not what the server states"):
        mlenergy.import_results(site.url, settings)
    assert mlenergy.current(settings) is None
    for stated in (f"sha-512=:AA==:, sha-256=:{right}:", "sha-256=nonsense", ""):
        site.digests = {LONG: stated}
        mlenergy.import_results(site.url, settings)


def test_a_site_that_sends_too_slowly_is_given_up(
    site: Site, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.cuts = [100]
    with monkeypatch.context() as patched:
        patched.setattr(download, "PACE_SECONDS", 0.0)
        patched.setattr(download, "LEAST_BYTES_PER_SECOND", 1e12)
        with pytest.raises(
            SourceUnreachable, match=rf"{LONG}: 100 bytes came in .* s, too slowly; .* is kept"
        ):
            mlenergy.import_results(site.url, settings)
    assert mlenergy.import_results(site.url, settings).changed
    assert site.ranges() == [None, "bytes=100-"], "what had arrived was kept"


def test_a_site_that_does_not_begin_to_answer_is_given_up(
    site: Site, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "BEGIN_SECONDS", 0.05)
    site.free.clear()
    with pytest.raises(SourceUnreachable, match=r"did not begin to answer within 0.05 s.*give a folder"):
        mlenergy.import_results(site.url, settings)


def sums(folder: Path) -> str:
    files = sorted(path for path in folder.rglob("*.json"))
    return "".join(f"{hashlib.sha256(f.read_bytes()).hexdigest()}  {f.relative_to(folder)}\n" for f in files)


@pytest.mark.parametrize("served", [True, False])
def test_every_file_must_be_as_the_sums_say(site: Site, settings: Settings, served: bool) -> None:
    source, listed = site.url if served else str(site.folder), site.folder / "SHA256SUMS"
    listed.write_text(sums(site.folder))
    first = mlenergy.import_results(source, settings)
    lines = sums(site.folder).splitlines(keepends=True)
    for wrong, why in (
        ("".join(("0" * 64 + line[64:]) if LONG in line else line for line in lines), f"{LONG}: its SHA-256"),
        ("".join(line for line in lines if LONG not in line), f"{LONG}: not in"),
        (lines[0] + "<html>\n", "SHA256SUMS: line 2 is not what sha256sum writes"),
    ):
        listed.write_text(wrong)
        with pytest.raises(ImportRefused, match=why):
            mlenergy.import_results(source, settings)
    listed.write_text("<!doctype html>a page for whatever is not there")
    assert not mlenergy.import_results(source, settings).changed
    assert mlenergy.current(settings) == first.directory


def test_content_that_is_not_what_was_expected_is_refused(site: Site, settings: Settings) -> None:
    first = mlenergy.import_results(site.url, settings)
    again = mlenergy.import_results(site.url, settings, expect=first.content_hash)
    assert not again.changed
    index = site.folder / LONG
    index.write_text(index.read_text().replace("2026-02-16", "2026-02-17"))
    with pytest.raises(ImportRefused, match=rf"not {first.content_hash}; nothing was imported"):
        mlenergy.import_results(site.url, settings, expect=first.content_hash)
    assert mlenergy.current(settings) == first.directory


def test_two_imports_at_once(site: Site, settings: Settings) -> None:
    root = settings.imports / "mlenergy-v3"
    with (
        lock(root / ".fetched" / ".lock", busy=ImportRefused),
        pytest.raises(ImportBusy, match="another import is running"),
    ):
        mlenergy.import_results(site.url, settings)
