"""No message repeats a password, however the address around it is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark_tasks.addresses import UNSHOWN, require_address, without_credentials
from benchmark_tasks.errors import JouleboardError, SettingsError
from benchmark_tasks.imports.source import open_source
from benchmark_tasks.releases.hub import Hub
from benchmark_tasks.releases.index import list_releases
from benchmark_tasks.settings import Settings

SECRET = "Sec-7d1f04"
UNCLEAR = (
    f"http://bob:{SECRET}/ret1@127.0.0.1:1/simple",
    f"http://bob:{SECRET}#ret1@127.0.0.1:1/simple",
    f"http://bob:{SECRET}?ret1@127.0.0.1:1/simple",
    f"bob:{SECRET}@127.0.0.1:1/simple",
    f"ftp://bob:{SECRET}@127.0.0.1/simple",
    f"http://bob:{SECRET}@[::1",
    f"http://bob:{SECRET}@host:port/",
    f"http://bob:{SECRET} @127.0.0.1:1/",
    f"http://bob:{SECRET}@/simple",
)


@pytest.mark.parametrize("url", UNCLEAR)
def test_an_address_that_is_read_in_different_ways_is_refused_and_not_repeated(
    url: str, tmp_path: Path
) -> None:
    assert SECRET not in without_credentials(url)
    settings = Settings(home=tmp_path, index_url=url, hub_url=url)
    for asked in (
        lambda: require_address(url, "it"),
        lambda: list_releases("vllm", settings),
        lambda: Hub(settings),
        lambda: open_source(url, tmp_path),
    ):
        with pytest.raises(JouleboardError) as caught:
            asked()
        assert SECRET not in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"https://bob:{SECRET}@host/simple/", "https://host/simple/"),
        (f"https://bob:Sec%2Fret{SECRET}@host:8080/a", "https://host:8080/a"),
        (f"https://host/data?token={SECRET}", "https://host/data"),
        ("https://cdn.example/gh/user/package@1.0/", "https://cdn.example/..."),
        (f"http://bob:12/{SECRET}@127.0.0.1:1/simple", "http://bob:12/..."),
        ("https://pypi.corp:8443/repo@1.0/simple", "https://pypi.corp:8443/..."),
        ("http://[::1]:80/a@b/simple", "http://[::1]:80/..."),
        ("file:///srv/simple", "file:///srv/simple"),
        ("http://[::1]:8000/x", "http://[::1]:8000/x"),
        ("nonsense", UNSHOWN),
    ],
)
def test_an_address_is_shown_without_what_is_secret(url: str, shown: str) -> None:
    assert without_credentials(url) == shown


def test_an_address_that_is_clear_is_used_as_it_is() -> None:
    url = f"https://bob:{SECRET}@host/simple/"
    assert require_address(f" {url} ", "it") == url
    for right in ("https://pypi.corp:8443/repo@1.0/simple", "https://host:8443/data?user=me@corp.com"):
        assert require_address(right, "it") == right
    with pytest.raises(SettingsError, match=r"it is not a web address .*begins with http:// or https://"):
        require_address("host/simple", "it")
