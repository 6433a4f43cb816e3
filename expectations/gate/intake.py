"""Reads the landing zone for the gate: runs, their evidence, and bundles that cannot be read."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pyarrow as pa

from benchmark_tasks.disk import sha256
from benchmark_tasks.errors import BundleError
from benchmark_tasks.results import bundle
from benchmark_tasks.results.cold import COLD, own_folder
from benchmark_tasks.results.store import BrokenBundle, Listing, Store
from benchmark_tasks.results.summary import runs_table
from benchmark_tasks.settings import Settings
from benchmark_tasks.signing import Registry
from expectations.gate.evidence import Evidence, gather


@dataclass(frozen=True)
class Intake:
    """Readable runs (each id once), bundles set aside unread, and the evidence of the former.

    root: the folder of the landing zone. keys: whose signatures are trusted.
    """

    listing: Listing
    evidence: dict[str, Evidence]
    root: Path
    keys: Registry = field(default_factory=Registry)

    @cached_property
    def table(self) -> pa.Table:
        """One flat row per readable run; the suites and dbt read it."""
        return runs_table((run, own_folder(path)) for run, path in self.listing.runs)

    @cached_property
    def contributors(self) -> dict[str, str]:
        """The contributor of each run that is not ours, by run id."""
        found = {run: self.keys.contributor_of(facts.signed_by) for run, facts in self.evidence.items()}
        return {run_id: name for run_id, name in found.items() if name is not None}

    @property
    def digest(self) -> str:
        """Changes when a bundle lands, goes, breaks or is touched, or a key is trusted or revoked.

        It does not when a bundle or the whole zone is moved.
        """
        parts = [f"{facts.run_id} {facts.problem} {facts.content_digest}" for facts in self.evidence.values()]
        parts += [f"{path} {_sums(path)}" for _, path in self.listing.runs]
        parts += [f"{broken.path} {broken.reason}" for broken in self.listing.broken]
        places = [part.replace(f"{self.root}/{COLD}/", "").replace(f"{self.root}/", "") for part in parts]
        return hashlib.sha256("\n".join([self.keys.digest, *sorted(places)]).encode()).hexdigest()


def _sums(directory: Path) -> str:
    """Digest of a bundle's checksums, or why they cannot be read, which its evidence also says."""
    try:
        with bundle.readable(directory):
            return sha256(directory / bundle.CHECKSUMS_FILE)
    except (OSError, BundleError) as error:
        return str(error)


def read(settings: Settings) -> Intake:
    """List the landing zone and examine every bundle that was not examined before."""
    store = Store.of(settings)
    listing = _each_id_once(store, store.listing())
    return Intake(listing, gather(listing.runs, settings.warehouse), settings.raw, Registry.read(settings))


def _each_id_once(store: Store, listing: Listing) -> Listing:
    """Of bundles with one and the same id, only the one in its place counts."""
    often = {run_id for run_id, n in Counter(run.run_id for run, _ in listing.runs).items() if n > 1}
    kept, broken = [], list(listing.broken)
    for run, path in listing.runs:
        if run.run_id in often and path != store.folder_of(run):
            broken.append(BrokenBundle(path, f"{path}: a copy of run {run.run_id}; remove this folder"))
        else:
            kept.append((run, path))
    return Listing(tuple(kept), tuple(broken))
