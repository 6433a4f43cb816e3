"""Publication suite: the candidate against what is published now.

Losing a configuration, or moving a figure further than releases move it, may be right: these
findings stop the publication until a person approves it with a reason.
"""

from __future__ import annotations

import re
from typing import Any

from expectations.gate.auditor import Audit, Auditor
from expectations.publications import Publication, attached
from expectations.suites import tolerances as t
from expectations.suites.checks import Check, Level, Severity
from expectations.suites.mart import LABEL, numeric

_BAND = f"the band is {t.VERSION_CHANGE.low:+.0%} to {t.VERSION_CHANGE.high:+.0%}"


def _change(old: str, new: str) -> str:
    """SQL of what a person reads about a moved figure."""
    return (
        f"format('{{:.4g}} -> {{:.4g}} J/{{}}, {{:+.0f}} %; {_BAND}',"
        f" {old}, {new}, output_unit, 100 * ({new} / {old} - 1))"
    )


_LOST = f"""
select {LABEL} as label, new.leaderboard_id is null as no_configuration_lost,
    coalesce(format('was {{:.4g}} J/{{}}', energy_per_output_joules, output_unit), 'had no energy figure')
        as figures
from last_leaderboard
left join (select leaderboard_id from candidate.marts.leaderboard) as new using (leaderboard_id)
"""

_MOVED = f"""
select {LABEL} as label,
    new.energy / nullif(energy_per_output_joules, 0) - 1 as energy_moved_within_band,
    energy_per_output_joules is not null and new.energy is null as energy_not_lost,
    coalesce(
        {_change("energy_per_output_joules", "new.energy")},
        format('was {{:.4g}} J/{{}}', energy_per_output_joules, output_unit)
    ) as figures
from last_leaderboard
join (
    select leaderboard_id, energy_per_output_joules as energy from candidate.marts.leaderboard
) as new using (leaderboard_id)
"""

_SAME_BUT_VERSION = (
    "data_source",
    "configuration_id",
    "runtime",
    "request_set_id",
    "length_control",
    "power_limit_watts",
    "weights",
    "energy_boundary",
    "model_revision",
)


_VERSIONS = f"""
with older as (
    select {", ".join(_SAME_BUT_VERSION)},
        runtime_version as last_version,
        energy_per_output_joules as last_energy
    from last_leaderboard
    where energy_per_output_joules is not null
    qualify row_number() over (
        partition by {", ".join(_SAME_BUT_VERSION)}
        order by try_cast(regexp_extract_all(runtime_version, '[0-9]+') as bigint[]) desc nulls last,
            runtime_version desc
    ) = 1
), successors as (
    select new.*, older.last_version, older.last_energy
    from candidate.marts.leaderboard as new
    join older on {" and ".join(f"new.{key} is not distinct from older.{key}" for key in _SAME_BUT_VERSION)}
    where new.leaderboard_id not in (select leaderboard_id from last.marts.leaderboard)
)
select concat({LABEL}, ' (after ', last_version, ')') as label,
    energy_per_output_joules / nullif(last_energy, 0) - 1 as version_changes_within_band,
    {_change("last_energy", "energy_per_output_joules")} as figures
from successors
"""

_SIZES = """
select last.table_name as mart, new.table_name is null as no_mart_lost,
from duckdb_tables() as last
left join duckdb_tables() as new
    on new.database_name = 'candidate' and new.schema_name = 'marts' and new.table_name = last.table_name
where last.database_name = 'last' and last.schema_name = 'marts'
"""

_RUNS = """
with counted as (
    select (select count(*) from last.marts.run_log) as last_runs,
        (select count(*) from candidate.marts.run_log) as runs
)
select 'run_log' as mart, runs / nullif(last_runs, 0) as no_run_lost,
    format('{} -> {} runs', last_runs, runs) as figures
from counted
"""


def publication_checks() -> dict[str, tuple[str, str, tuple[Check, ...]]]:
    """SQL of the residuals, the key and the checks, by what is compared."""
    return {
        "leaderboard rows of the last publication": (
            _LOST,
            "label",
            (_ask("no_configuration_lost", t.NO_LOST_KEYS, "published before, and no longer there"),),
        ),
        "leaderboard against the last publication": (
            _MOVED,
            "label",
            (
                _ask(
                    "energy_moved_within_band", t.VERSION_CHANGE, "energy moved against the last publication"
                ),
                _ask("energy_not_lost", t.NEVER, "had an energy figure, and has none now"),
            ),
        ),
        "new versions against the last one published": (
            _VERSIONS,
            "label",
            (
                _ask(
                    "version_changes_within_band",
                    t.VERSION_CHANGE,
                    "a release changed energy beyond the band",
                ),
            ),
        ),
        "marts of the last publication": (
            _SIZES,
            "mart",
            (_ask("no_mart_lost", t.NEVER, "a mart that was published is gone"),),
        ),
        "run log against the last publication": (
            _RUNS,
            "mart",
            (
                _ask(
                    "no_run_lost",
                    t.ROWS_OF_LAST,
                    "the run log shrank: bundles have gone from the landing zone",
                ),
            ),
        ),
    }


def audit_against_last(auditor: Auditor, candidate: Any, last: Publication | None) -> Audit:
    """Compare a candidate with the current publication; nothing to compare with is no finding."""
    if last is None:
        return Audit()
    import duckdb

    audit = Audit()
    with attached(candidate=candidate, last=last.database) as connection:
        _view_last(connection)
        for table, (sql, key, checks) in publication_checks().items():
            try:
                frame = numeric(connection.execute(sql).df())
            except (duckdb.BinderException, duckdb.CatalogException) as error:
                if not re.search("not found|does not exist|does not have", str(error)):
                    raise
                frame, checks, key = _incomparable(table, str(error))
            audit += auditor.audit(
                Level.PUBLICATION, table, frame, checks, key=[key], observed=_figures(frame, key, checks)
            )
    return audit


def _view_last(connection: Any) -> None:
    """`last_leaderboard`: publications from before revisions were recorded know none."""
    columns = {name for name, *_ in connection.execute("describe last.marts.leaderboard").fetchall()}
    missing = "" if "model_revision" in columns else ", null::varchar as model_revision"
    connection.execute(f"create temp view last_leaderboard as select *{missing} from last.marts.leaderboard")


def _figures(frame: Any, key: str, checks: tuple[Check, ...]) -> Any:
    """What a person reads about a row, whichever check it fails."""
    if "figures" not in frame.columns:
        return None
    figures = frame.drop_duplicates(key).set_index(key)["figures"]
    return figures.to_frame().assign(**{check.name: figures for check in checks})


def _incomparable(table: str, message: str) -> tuple[Any, tuple[Check, ...], str]:
    """The last publication lacks a column that is compared: a person looks at it."""
    import pandas as pd

    line = message.splitlines()[0]
    frame = pd.DataFrame({"what": [f"{table}: {line}"], "comparable_with_last": [1.0]})
    reason = "the last publication has another shape and cannot be compared"
    return frame, (_ask("comparable_with_last", t.NEVER, reason),), "what"


def _ask(name: str, within: Any, reason: str) -> Check:
    return Check(name, Severity.CRITICAL, reason, within=within, approvable=True)
