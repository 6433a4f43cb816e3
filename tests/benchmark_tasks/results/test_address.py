"""Addresses that name no place are refused in words, before anybody is asked."""

from __future__ import annotations

import pytest

from benchmark_tasks.errors import SettingsError
from benchmark_tasks.results import address
from benchmark_tasks.results.remote import Remote


@pytest.mark.parametrize(
    ("given", "part"),
    [
        ("", "empty"),
        ("  ", "empty"),
        ("s3://", "no bucket or host: write s3://BUCKET_OR_HOST/FOLDER"),
        ("s3:///", "no bucket or host"),
        ("gs:///folder", "no bucket or host"),
        ("://bucket", "no scheme"),
        ("s3:", "has :// after s3"),
        ("s3:/bucket/folder", "has :// after s3"),
        ("file://", "no absolute path"),
        ("file://folder", "no absolute path: write file:///FOLDER"),
    ],
)
def test_what_names_no_place_is_said(given: str, part: str) -> None:
    assert part in str(address.problem(given))
    with pytest.raises(SettingsError, match=r"JOULEBOARD_RAW=.*write|JOULEBOARD_RAW=.*name"):
        Remote(given).require_ours()


@pytest.mark.parametrize(
    "given",
    [
        *(
            "/mnt/x",
            "x",
            "x/",
            "./s3:",
            "/",
            "s3://bucket",
            "s3://bucket/folder/",
            "file:///x",
            "ftp://host/x",
        ),
        "made-2026-11-30T12:00.zip",
    ],
)
def test_a_place_is_a_place(given: str) -> None:
    assert address.problem(given) is None


@pytest.mark.parametrize(
    ("given", "kept"),
    [("s3://", "s3://"), ("s3://b/", "s3://b"), ("/x//", "/x"), ("/", "/"), ("file:///", "file:///")],
)
def test_an_end_is_left_out_only_after_a_name(given: str, kept: str) -> None:
    assert address.without_end(given) == kept
