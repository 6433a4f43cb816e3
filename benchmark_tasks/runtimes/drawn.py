"""Which stand-in weights a runtime drew, as its processes say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from benchmark_tasks.errors import WeightsNotAsAsked
from benchmark_tasks.results.schema import StandIn
from benchmark_tasks.stand_in.support import OF_DRAFT, reports_in
from benchmark_tasks.vocabulary import Weights


def weights_drawn(log: Path) -> StandIn:
    """What all processes of a server drew, each for itself.

    Raises:
        WeightsNotAsAsked
    """
    return agreed(reports_in(log.read_text(errors="replace").splitlines()))


def agreed(reports: Sequence[Mapping[str, Any]]) -> StandIn:
    """The one set of weights that several processes report.

    A draft model's weights (speculative decoding) must agree among themselves, and are not returned: the
    server's log has their digest.

    Raises:
        WeightsNotAsAsked: there is no report, it is another recipe, or they drew different weights.
    """
    drafts = [report for report in reports if report.get(OF_DRAFT)]
    served = [report for report in reports if not report.get(OF_DRAFT)]
    if not drafts:
        return _one_of(served, "")
    _one_of(drafts, " for the draft model")
    return _one_of(served, " for the model that is served")


def _one_of(reports: Sequence[Mapping[str, Any]], of_what: str) -> StandIn:
    try:
        drawn = [StandIn.model_validate(_known(report)) for report in reports]
    except ValidationError as error:
        field = error.errors()[0]["loc"]
        raise WeightsNotAsAsked(f"the runtime's report on its weights{of_what} is wrong: {field}") from error
    if not drawn:
        raise WeightsNotAsAsked(f"the runtime did not say which weights it drew{of_what}")
    first = drawn[0]
    if first.recipe != Weights.STAND_IN:
        raise WeightsNotAsAsked(f"the runtime drew {first.recipe}{of_what}, not {Weights.STAND_IN}")
    if any(report != first for report in drawn):
        digests = ", ".join(sorted({report.digest[:12] for report in drawn}))
        raise WeightsNotAsAsked(f"the runtime's processes drew different weights{of_what}: {digests}")
    return first.model_copy(update={"processes": len(drawn)})


def _known(report: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the report that describe the weights."""
    return {name: value for name, value in report.items() if name in StandIn.model_fields}
