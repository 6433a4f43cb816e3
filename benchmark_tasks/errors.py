"""The whole error tree. Every message is one line that says what is wrong and what to do."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

TRY_AGAIN = 75
"""Exit code of an error that may be gone a little later; EX_TEMPFAIL of sysexits.h."""

INFEASIBLE = 4
"""Exit code for a configuration that does not fit the device."""

ERROR_PREFIX = "error: "
"""Start of the line that says what went wrong, on stderr and in the logs of Airflow's tasks."""


class JouleboardError(Exception):
    """Base of every error a person is meant to read; the command prints it and exits with `exit_code`."""

    exit_code = 1


class SettingsError(JouleboardError):
    """An environment variable or option has a value that cannot be used."""


class CatalogError(JouleboardError):
    """A catalog file is wrong, or a name is not in the catalog. Names file, line and field."""


class IndexUnreachable(JouleboardError):
    """The package index or model hub did not answer, or with something else than what was asked for."""

    exit_code = TRY_AGAIN


class HubRefused(JouleboardError):
    """The model hub answered, but without the model: it is gated, removed, or cannot be read."""


class ProposalError(JouleboardError):
    """There is no such proposal, or it cannot be decided in this way."""


class UnknownVersion(JouleboardError):
    """The runtime has no such release."""


class NoBuildHere(UnknownVersion):
    """The runtime has that release, but none for this kind of machine."""


class NotInstallableYet(UnknownVersion):
    """The index lists that release, but no file of it that can be installed here; more may follow."""

    exit_code = TRY_AGAIN


class EnvironmentBuildError(JouleboardError):
    """A runtime environment could not be created."""


class ServerError(JouleboardError):
    """A model server could not be used. Carries the last lines of its log."""

    def __init__(self, message: str, log_tail: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.log_tail = log_tail


class PortInUse(ServerError):
    """Another process listens on the port the server was given."""

    exit_code = TRY_AGAIN


class ServerNeverHealthy(ServerError):
    """The server did not answer its health check in time."""


class ServerDied(ServerError):
    """The server process ended before it was told to."""


class WeightsNotAsAsked(ServerError):
    """The runtime did not get the weights that it was asked for, or its processes drew different ones."""


class OutOfMemory(ServerError):
    """The configuration does not fit the device: infeasible, not worth a retry."""

    exit_code = INFEASIBLE


class RequestSetError(JouleboardError):
    """The data set of a request set is not available, or has another form than expected."""


class MeterError(JouleboardError):
    """An energy or power instrument gave no usable reading."""


class LoadError(JouleboardError):
    """The load generator could not send its requests, or too many of them failed."""


class GpuBusy(JouleboardError):
    """Another measurement holds the GPU."""

    exit_code = TRY_AGAIN


class BundleError(JouleboardError):
    """A raw bundle is missing, truncated or not what its checksums say."""


class SignatureError(JouleboardError):
    """A signature, key or registry of keys cannot be used, or a signature is not that of its file."""


class ControlPlaneUnreachable(JouleboardError):
    """The control plane that this GPU host is to join does not answer, or does not take it."""

    exit_code = TRY_AGAIN


class LandingZoneUnreachable(JouleboardError):
    """The object store that results go to does not answer or refuses; what was measured is kept here."""

    exit_code = TRY_AGAIN


class DiskFull(JouleboardError):
    """No space left where results are written; no file was written in part."""


class BackupError(JouleboardError):
    """A backup cannot be made, is damaged, or must not be restored here; says what to do."""


class BackupUnreachable(BackupError):
    """The object store or folder of the backup does not answer or refuses."""

    exit_code = TRY_AGAIN


class ContributionRefused(JouleboardError):
    """What somebody contributes is not taken: a line for each fault. Nothing of it has landed."""

    def __init__(self, message: str, faults: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.faults = faults


class ImportRefused(JouleboardError):
    """Published results of others cannot be imported; the last import is unchanged."""


class SourceUnreachable(ImportRefused):
    """The address of published results does not answer, or the connection breaks; nothing was imported."""

    exit_code = TRY_AGAIN


class ImportBusy(ImportRefused):
    """Another import is running."""

    exit_code = TRY_AGAIN


class BuildError(JouleboardError):
    """dbt could not build the candidate."""


class GateRefused(JouleboardError):
    """The gate refused the candidate; the last publication stays current."""

    exit_code = 3


class NothingToPublish(GateRefused):
    """No run has landed and nothing is imported; there is nothing to build from."""


class ApiError(JouleboardError):
    """A question to the read API has no answer. status: of HTTP."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class PublicationError(JouleboardError):
    """A publication is missing, damaged, or another publisher is at work."""


class PublisherBusy(PublicationError):
    """Another process builds or publishes at this moment."""

    exit_code = TRY_AGAIN


class DatabaseUnreachable(JouleboardError):
    """The database that publications are copied to does not answer or is busy; readers keep the last copy."""

    exit_code = TRY_AGAIN


class FiguresDiffer(PublicationError):
    """Published figures are not those that their source gives when it is read again."""

    exit_code = 3


class ApprovalNeeded(GateRefused):
    """The candidate is valid, but changes published figures so much that a person must approve it.

    `changes`: the changes that the person is asked to approve, one line each.
    """

    exit_code = 5

    def __init__(self, message: str, changes: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.changes = changes


def of_this_machine(error: OSError) -> str | None:
    """The line for an error that a person can mend: permissions, a disk, a share; `None` for a defect."""
    if error.filename is None and error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
        return None
    where = "output" if error.filename is None else error.filename
    return f"{one_line(where)}: {error.strerror or type(error).__name__}; check permissions and the disk"


def one_line(error: object) -> str:
    """The message of an error, or any other text, on one line; empty if there is none."""
    return " ".join(str(error).split())


def what_is_wrong(problem: ErrorDetails) -> str:
    """What one of the problems of a `ValidationError` is, without its field and pydantic's introduction."""
    return problem["msg"].removeprefix("Value error, ")


def first_problem(error: ValidationError, whole: str = "file") -> str:
    """The first field that has not its form, and what is wrong with it. whole: stands for all fields."""
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"]) or whole
    return f"{field}: {first['msg']}"
