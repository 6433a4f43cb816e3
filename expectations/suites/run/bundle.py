"""The bundle: complete, in its place, not a copy, of a run that completed."""

from __future__ import annotations

import pandas as pd

from expectations.suites.landed_runs import LandedRuns
from expectations.suites.run_check import critical


def _folder(runs: LandedRuns) -> pd.Series:
    """The last three parts of the bundle's path."""
    folder: pd.Series = runs["bundle_path"].str.split("/").str[-3:].str.join("/")
    return folder


def _expected_folder(runs: LandedRuns) -> pd.Series:
    folder: pd.Series = runs["task"] + "/" + runs["started_at"].dt.strftime("%Y-%m") + "/" + runs["run_id"]
    return folder


CHECKS = (
    critical(
        "bundle_whole",
        "the bundle's files differ from the files that were landed",
        lambda runs: runs["problem"].notna(),
        observed=lambda runs: runs["problem"],
        releasable=False,
    ),
    critical(
        "signer_trusted",
        "the bundle's signature is not of a trusted key, or is missing where one is required",
        lambda runs: runs["signer_objection"].notna().where(runs["problem"].isna()),
        observed=lambda runs: runs["signer_objection"],
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
        "an earlier run has the same measurement: its figures, its request times or its power samples",
        lambda runs: runs["copy_of"].notna(),
        observed=lambda runs: "the same as run " + runs["copy_of"],
        releasable=False,
    ),
    critical(
        "no_crash_in_log",
        "the server's log reports a crash",
        lambda runs: runs["crash"].notna().where(runs["completed"]),
        observed=lambda runs: runs["crash"],
    ),
    critical(
        "samples_are_numbers",
        "a timeline has NaN, infinite or negative samples",
        lambda runs: runs["bad_samples"],
    ),
)
