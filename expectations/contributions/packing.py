"""`jouleboard contribute`: bundles become one signed file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmark_tasks import catalog as catalogs
from benchmark_tasks.errors import ContributionRefused, SignatureError
from benchmark_tasks.results import bundle
from benchmark_tasks.settings import Settings
from benchmark_tasks.signing import signed_by, signer_of
from expectations.contributions import archive
from expectations.contributions.faults import readable, refusals
from expectations.contributions.staging import MOST_BYTES, in_their_places, refuse
from expectations.gate.intake import Intake

_NOT_ASKED = ("signer_trusted",)
"""Whether the key is trusted is for those to say who take the file."""


def pack(bundles: Iterable[Path], output: Path, settings: Settings) -> int:
    """Check bundles as the gate will, sign them with this installation's key, write one file.

    The bundles themselves stay as they are. Returns how many there are.

    Raises:
        SignatureError: there is no key here. ContributionRefused: a line for each fault; nothing was written.
        DiskFull: no space.
    """
    signer = signer_of(settings)
    if signer is None:
        raise SignatureError("there is no key here to sign with; `jouleboard keys new NAME` makes one")
    if output.exists():
        raise ContributionRefused(f"{output}: exists already; give another name")
    if not output.parent.is_dir():
        raise ContributionRefused(f"{output.parent}: no such folder")
    with TemporaryDirectory() as aside:
        copies = archive.copy_folder(bundles, Path(aside), MOST_BYTES)
        good, faults = readable(copies)
        for run, folder in good:
            if signed_by(folder) not in (None, signer.public_key):
                faults.append(f"bundle {run.run_id}: signed with another key; who measured it contributes it")
        placed = in_their_places(good, Path(aside) / "placed")
        alone = Intake.of((), {})
        catalog = catalogs.load(overlay=settings.catalog)
        faults += refusals(placed, alone, catalog, leave_out=_NOT_ASKED)
        refuse(faults, "nothing was packed")
        for _, folder in placed:
            signer.sign(folder / bundle.CHECKSUMS_FILE)
        archive.write([folder for _, folder in placed], output)
    return len(placed)
