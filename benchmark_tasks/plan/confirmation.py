"""Reruns that tell whether a release changed energy: both releases in turns on the same GPUs.

A change of `release_history` is a candidate until then. What the reruns say is worked out in dbt.
"""

from __future__ import annotations

from collections.abc import Iterable

from benchmark_tasks.catalog import Catalog
from benchmark_tasks.plan.recheck import sweep_again
from benchmark_tasks.plan.sweep import Sweep
from benchmark_tasks.results.identity import Comparability, Configuration
from benchmark_tasks.results.schema import Run
from benchmark_tasks.vocabulary import CONFIRMATION_CAMPAIGN


def confirmation_campaign(run_id: str) -> str:
    """The campaign of the reruns of candidates."""
    return f"{CONFIRMATION_CAMPAIGN}{run_id}"


def in_turns(
    catalog: Catalog,
    configuration: Configuration,
    comparability: Comparability,
    earlier_version: str,
    *,
    campaign_id: str | None = None,
    note: str | None = None,
) -> tuple[Sweep, ...]:
    """A configuration under an earlier release and its own: old, new, new, old, each on a server of its own.

    Raises:
        CatalogError: says why it cannot be measured again.
    """
    old_keys = comparability.model_copy(update={"runtime_version": earlier_version})
    old, new = (
        sweep_again(catalog, configuration, keys, note=note).model_copy(update={"campaign_id": campaign_id})
        for keys in (old_keys, comparability)
    )
    return old, new, new, old


def was_rerun(
    configuration: Configuration, comparability: Comparability, runs: Iterable[Run], campaign_id: str
) -> bool:
    """Whether another campaign of reruns measured this already, with whatever result."""
    return any(
        (run.campaign_id or "").startswith(CONFIRMATION_CAMPAIGN)
        and run.campaign_id != campaign_id
        and run.configuration.configuration_id == configuration.configuration_id
        and run.comparability.runtime_version == comparability.runtime_version
        and run.comparability.weights == comparability.weights
        for run in runs
    )
