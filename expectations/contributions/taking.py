"""`jouleboard land FILE --contributor NAME`: what others measured and signed is checked, then landed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmark_tasks import catalog as catalogs
from benchmark_tasks.errors import SignatureError
from benchmark_tasks.results import bundle
from benchmark_tasks.results.schema import Run
from benchmark_tasks.results.store import Store
from benchmark_tasks.settings import Settings
from benchmark_tasks.signing import Key, KeyKind, Registry, signed_by
from expectations.contributions import archive
from expectations.contributions.faults import Bundle, readable, refusals
from expectations.contributions.staging import MOST_BYTES, in_their_places, refuse
from expectations.gate import intake
from expectations.gate.intake import Intake


@dataclass(frozen=True)
class Taken:
    """What came of a contribution: runs that landed (or would), and those that had landed before."""

    runs: tuple[Run, ...]
    known: tuple[str, ...]

    @property
    def landed(self) -> tuple[str, ...]:
        """Ids of the former."""
        return tuple(run.run_id for run in self.runs)


def take(
    source: Path,
    contributor: str,
    settings: Settings,
    *,
    most_bytes: int = MOST_BYTES,
    only_check: bool = False,
) -> Taken:
    """Land the bundles of a file of `jouleboard contribute`, or of a folder, if all of them are in order.

    Taking the same again changes nothing. most_bytes: of all of them, unpacked. only_check: land nothing.

    Raises:
        SignatureError: there is no trusted key of that contributor.
        ContributionRefused: a line for each fault; nothing has landed.
        LandingZoneUnreachable: an object store does not answer. DiskFull: no space.
    """
    registry = Registry.read(settings)
    key = _key_of(contributor, registry)
    store = Store.of(settings)
    with store.staging("contribution") as aside:
        if source.is_dir():
            folders = archive.copy_folder(_bundles_in(source), aside, most_bytes)
        else:
            folders = archive.unpack(source, aside, most_bytes)
        good, faults = readable(folders)
        faults += _signed_by_others(good, key, registry)
        landed = intake.read(settings)
        there = {run_id: path for run_id, path, _ in landed.bundles}
        there |= {broken.path.name: broken.path for broken in landed.broken}
        known = [(run, folder) for run, folder in good if run.run_id in there]
        faults += _ids_of_others(known, there, landed)
        new = in_their_places((one for one in good if one[0].run_id not in there), aside / "placed")
        faults += refusals(new, landed, catalogs.load(overlay=settings.catalog))
        refuse(faults, "nothing has landed")
        if not only_check:
            for _, folder in new:
                store.land(folder)
    return Taken(tuple(run for run, _ in new), tuple(run.run_id for run, _ in known))


def _bundles_in(folder: Path) -> list[Path]:
    from benchmark_tasks.cli.landing import bundles_in

    return bundles_in([folder])


def _key_of(contributor: str, registry: Registry) -> Key:
    try:
        import cryptography  # noqa: F401  without it no signature is verified
    except ImportError as error:
        raise SignatureError(
            "signatures cannot be verified without the package cryptography: pip install cryptography"
        ) from error
    names = {key.name: key for key in registry.keys if key.kind is KeyKind.CONTRIBUTOR}
    key = names.get(contributor)
    if key is None:
        trust = f"`jouleboard keys trust {contributor} ed25519:... --kind contributor` after asking its owner"
        raise SignatureError(
            f"no contributor {contributor!r}; there are: {', '.join(names) or 'none'}; {trust}"
        )
    if key.revoked_at is not None:
        raise SignatureError(f"the key of {key.name} was revoked on {key.revoked_at:%F}: {key.why}")
    return key


def _signed_by_others(bundles: Iterable[Bundle], key: Key, registry: Registry) -> list[str]:
    signers = ((run, signed_by(folder)) for run, folder in bundles)
    return [
        f"bundle {run.run_id}: {registry.describe(signer)}, not by {key.name}"
        for run, signer in signers
        if signer != key.public_key
    ]


def _ids_of_others(known: Iterable[Bundle], there: dict[str, Path], landed: Intake) -> list[str]:
    """Runs that are offered under the id of a landed run, and are not that run."""
    faults = []
    for run, folder in known:
        sums = bundle.CHECKSUMS_FILE
        path, is_readable = there[run.run_id], run.run_id in landed.signers
        signer = landed.signers.get(run.run_id)
        same = is_readable and signer == signed_by(folder)
        if not (same and (path / sums).read_bytes() == (folder / sums).read_bytes()):
            owner = landed.keys.describe(signer) if is_readable else "not readable"
            faults.append(f"bundle {run.run_id}: its id is that of another run that has landed ({owner})")
    return faults
