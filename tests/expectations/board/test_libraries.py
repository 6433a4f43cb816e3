"""Vega's script is bundled once and kept for the next publication, and only for that of the same versions."""

from __future__ import annotations

from pathlib import Path

import pytest

from expectations.board import libraries

SMALL = "window.vega = '{vega} {interpreter} %d';"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where it is kept; what is bundled is small."""
    monkeypatch.setattr(libraries, "KEPT_IN", tmp_path / "build")
    monkeypatch.setattr(libraries, "_VEGA", SMALL % 1)
    return tmp_path / "build"


def test_it_is_bundled_once_and_again_for_another_version_or_when_it_is_damaged(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = libraries._vega()
    (kept,) = folder.iterdir()
    before = kept.stat().st_mtime_ns
    assert libraries._vega() == text
    assert kept.stat().st_mtime_ns == before

    whole = kept.read_bytes()
    for damaged in (b"", b"short", whole[:-1], b"\xff" + whole):
        kept.write_bytes(damaged)
        assert libraries._vega() == text
        assert kept.read_bytes() == whole

    monkeypatch.setattr(libraries, "_VEGA", SMALL % 2)
    assert libraries._vega() != text
    assert len(list(folder.iterdir())) == 1
    assert not kept.exists()


def test_where_it_cannot_be_kept_it_is_bundled_all_the_same(folder: Path) -> None:
    folder.write_text("a file where the folder would be")
    assert "window.vega" in libraries._vega()
