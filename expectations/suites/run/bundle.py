"""The bundle: complete, in its place, not a copy, of a run that completed."""

from __future__ import annotations

import pandas as pd

from expectations.suites.checks import Tolerance
from expectations.suites.landed_runs import LandedRuns
from expectations.suites.run_check import critical


def _folder(runs: LandedRuns) -> pd.Series:
    """The last three parts of the bundle's path."""
    folder: pd.Series = runs["bundle_path"].str.split("/").str[-3:].str.join("/")
    return folder


def _expected_folder(runs: LandedRuns) -> pd.Series:
    folder: pd.Series = runs["task"] + "/" + runs["started_at"].dt.strftime("%Y-%m") + "/" + runs["run_id"]
    return folder


def _is_replay(runs: LandedRuns) -> pd.Series:
    content = runs["content_digest"]
    return content.notna() & content.duplicated(keep="first")


def _first_with_the_content(runs: LandedRuns) -> pd.Series:
    known = runs.table[runs["content_digest"].notna()].drop_duplicates("content_digest")
    return runs["content_digest"].map(known.set_index("content_digest")["run_id"]).astype("string")


CHECKS = (
    critical(
        "bundle_whole",
        "the bundle's files differ from the files that were landed",
        lambda runs: runs["problem"].notna(),
        observed=lambda runs: runs["problem"],
        releasable=False,
    ),
    critical(
        "in_its_place",
        "the bundle is in the folder of another run",
        lambda runs: _folder(runs) != _expected_folder(runs),
        observed=_folder,
        releasable=False,
    ),
    critical(
        "run_completed",
        "the run did not complete, so it has no result",
        lambda runs: ~runs["completed"],
        observed=lambda runs: runs["status"] + ": " + runs["failure_message"].fillna("no message"),
        releasable=False,
    ),
    critical(
        "not_a_replay",
        "an older run has exactly the same measurement",
        _is_replay,
        observed=lambda runs: "same content as run " + _first_with_the_content(runs),
        releasable=False,
    ),
    critical(
        "no_crash_in_log",
        "the server's log reports a crash",
        lambda runs: runs["crash"].notna().where(runs["completed"]),
        observed=lambda runs: runs["crash"],
    ),
    critical(
        "record_follows_from_files",
        "a figure in the record is not what the bundle's files give for it",
        lambda runs: runs["contradiction_share"],
        within=Tolerance(
            None,
            1e-3,
            "relative",
            "1,100 figures of 112 recorded runs (energy, power, clocks, tokens) agree within 3e-5",
        ),
        observed=lambda runs: runs["contradiction"],
    ),
    critical(
        "samples_are_numbers",
        "a timeline has NaN, infinite or negative samples",
        lambda runs: runs["bad_samples"],
    ),
)
