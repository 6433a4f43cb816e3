"""`revisions/<organisation>__<name>.yaml`: which states of a model's repository are known."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from benchmark_tasks.catalog.fields import Commit, HubId
from benchmark_tasks.results.record import Record


class Revision(Record):
    """A state of a model's repository on the hub.

    revision: its commit. content: hash of the files that decide what is measured; a commit that only
    edits the model's description has the same. measured: whether this revision has a benchmark of its
    own; the revision at the first watch has none.
    """

    revision: Commit
    content: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    seen_at: datetime
    measured: bool


class Revisions(Record):
    """The revisions of a model, oldest first. `head`: the commit that was looked at last."""

    model_id: HubId
    head: Commit
    revisions: tuple[Revision, ...] = Field(min_length=1)

    @property
    def current(self) -> Revision:
        """The revision that is measured from now on."""
        return self.revisions[-1]
