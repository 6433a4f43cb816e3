"""A candidate against what is published: what is lost or moves far is for a person to approve."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from benchmark_tasks.errors import ApprovalNeeded, GateRefused
from benchmark_tasks.settings import Settings
from expectations import publications
from expectations.gate.approval import Approval, question
from expectations.gate.auditor import Audit, Auditor, CheckResult
from expectations.publications import Publication
from expectations.refresh import _decide
from expectations.suites.checks import Check, GateFinding, Level, Severity
from expectations.suites.publication import audit_against_last

ROW = (
    "select '{id}' as leaderboard_id, 'jouleboard' as data_source, 'c-{configuration}' as configuration_id,"
    " 'gpqa' as task, 'some/model' as model_id, 'H200' as gpu_model, 1 as num_gpus, 32 as batch_size,"
    " 'vllm' as runtime, '{version}' as runtime_version, {revision}::varchar as model_revision,"
    " 'set' as request_set_id, 'fixed' as length_control,"
    " 700.0 as power_limit_watts, 'dummy' as weights, 'gpu' as energy_boundary,"
    " 'token' as output_unit, {energy}::double as energy_per_output_joules"
)


def make(path: Path, rows: list[dict[str, object]], runs: int = 5) -> Path:
    connection = duckdb.connect(str(path))
    connection.execute("create schema marts")
    union = " union all ".join(ROW.format(**row) for row in rows)
    connection.execute(f"create table marts.leaderboard as {union}")
    connection.execute(f"create table marts.run_log as select * from range({runs}) t(n)")
    connection.close()
    return path


def row(
    name: str,
    energy: object = 0.1,
    version: str = "0.9.0",
    configuration: str | None = None,
    revision: str = "null",
) -> dict[str, object]:
    return {
        "id": name,
        "energy": energy,
        "version": version,
        "configuration": configuration or name,
        "revision": revision,
    }


@pytest.fixture(scope="module")
def auditor() -> Auditor:
    return Auditor()


@pytest.fixture
def last(tmp_path: Path) -> Publication:
    folder = tmp_path / "1"
    folder.mkdir()
    make(
        folder / publications.DATABASE_FILE,
        [row("a"), row("b"), row("c"), row("d"), row("e", version="0.10.0", configuration="a")],
    )
    return Publication(1, folder, {})


def found(audit: Audit) -> set[tuple[str, str]]:
    return {(finding.check, finding.key.split(" | ")[-1][:1]) for finding in audit.critical}


def test_the_same_again_has_no_finding(auditor: Auditor, last: Publication) -> None:
    assert audit_against_last(auditor, last.database, last).findings == ()


def test_losses_and_moves_are_found(auditor: Auditor, last: Publication, tmp_path: Path) -> None:
    rows = [
        row("a"),
        row("b", energy=0.2),
        row("c", energy="null"),
        row("e", version="0.10.0", configuration="a"),
    ]
    candidate = make(tmp_path / "new.duckdb", rows, runs=4)
    audit = audit_against_last(auditor, candidate, last)
    assert found(audit) == {
        ("no_configuration_lost", "d"),
        ("energy_moved_within_band", "b"),
        ("energy_not_lost", "c"),
        ("no_run_lost", "r"),
    }
    assert {finding.check: finding.observed for finding in audit.critical} == {
        "no_configuration_lost": "was 0.1 J/token",
        "energy_moved_within_band": "0.1 -> 0.2 J/token, +100 %; the band is -33% to +50%",
        "energy_not_lost": "was 0.1 J/token",
        "no_run_lost": "5 -> 4 runs",
    }


def test_a_new_version_is_compared_with_the_newest_older_one(
    auditor: Auditor, last: Publication, tmp_path: Path
) -> None:
    kept = [row(name) for name in "abcd"] + [row("e", version="0.10.0", configuration="a")]
    new = [
        row("f", energy=0.3, version="0.11.0", configuration="a"),
        row("g", energy=0.11, version="0.11.0", configuration="b"),
    ]
    audit = audit_against_last(auditor, make(tmp_path / "new.duckdb", kept + new), last)
    (finding,) = audit.critical
    assert finding.check == "version_changes_within_band"
    assert finding.key.endswith("0.11.0 | f (after 0.10.0)")  # 0.10 is newer than 0.9
    assert finding.observed == "0.1 -> 0.3 J/token, +200 %; the band is -33% to +50%"


def test_a_server_with_options_is_no_later_version(
    auditor: Auditor, last: Publication, tmp_path: Path
) -> None:
    """Nor is one without them the successor of one with."""
    kept = [row(name) for name in "abcd"] + [row("e", version="0.10.0", configuration="a")]
    new = [
        row("f", energy=0.3, version="0.10.0+config.7f069e2c", configuration="a"),
        row("g", energy=0.3, version="0.9.1+environment.3061185e", configuration="b"),
    ]
    first = make(tmp_path / "first.duckdb", kept + new)
    assert audit_against_last(auditor, first, last).critical == ()


def test_another_revision_of_the_model_is_no_successor(
    auditor: Auditor, last: Publication, tmp_path: Path
) -> None:
    kept = [row(name) for name in "abcd"] + [row("e", version="0.10.0", configuration="a")]
    new = [row("f", energy=0.3, version="0.11.0", configuration="a", revision="'aa'")]
    assert audit_against_last(auditor, make(tmp_path / "new.duckdb", kept + new), last).critical == ()


def test_a_publication_from_before_revisions_is_comparable(
    auditor: Auditor, last: Publication, tmp_path: Path
) -> None:
    connection = duckdb.connect(str(last.database))
    connection.execute("alter table marts.leaderboard drop column model_revision")
    connection.close()
    kept = [row(name) for name in "abcd"] + [row("e", version="0.10.0", configuration="a")]
    new = [row("f", energy=0.3, version="0.11.0", configuration="a")]
    (finding,) = audit_against_last(auditor, make(tmp_path / "new.duckdb", kept + new), last).critical
    assert finding.check == "version_changes_within_band"


def test_a_publication_of_another_shape_asks_a_person(
    auditor: Auditor, last: Publication, tmp_path: Path
) -> None:
    connection = duckdb.connect(str(last.database))
    connection.execute("alter table marts.leaderboard rename energy_per_output_joules to energy_joules")
    connection.close()
    candidate = make(tmp_path / "new.duckdb", [row(name) for name in "abcde"])
    audit = audit_against_last(auditor, candidate, last)
    assert {finding.check for finding in audit.critical} == {"comparable_with_last"}


def test_a_mart_may_be_a_view_of_the_candidate_and_one_that_is_gone_is_lost(
    auditor: Auditor, last: Publication, tmp_path: Path
) -> None:
    rows = [row("a"), row("b"), row("c"), row("d"), row("e", version="0.10.0", configuration="a")]
    candidate = make(tmp_path / "new.duckdb", rows)
    for database in (last.database, candidate):
        with closing(duckdb.connect(str(database))) as connection:
            kind = "table" if database == last.database else "view"
            connection.execute(f"create {kind} marts.power_over_time as select 1.0 as power_watts")
    assert audit_against_last(auditor, candidate, last).findings == ()
    with closing(duckdb.connect(str(candidate))) as connection:
        connection.execute("drop view marts.power_over_time")
    assert found(audit_against_last(auditor, candidate, last)) == {("no_mart_lost", "p")}


def test_the_first_publication_has_nothing_to_be_compared_with(auditor: Auditor, tmp_path: Path) -> None:
    assert audit_against_last(auditor, make(tmp_path / "new.duckdb", [row("a")]), None) == Audit()


def failed(check: str, *rows: str, approvable: bool) -> Audit:
    rule = Check(check, Severity.CRITICAL, "moved", not_null=True, approvable=approvable)
    findings = tuple(
        GateFinding(check, Severity.CRITICAL, row, "2.0", "moved") for row in rows or ("some row",)
    )
    return Audit((CheckResult(Level.PUBLICATION, "leaderboard", rule, 9, findings),))


def test_only_a_reason_lets_an_approvable_finding_through(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    audit = failed("energy_moved_within_band", approvable=True)
    for empty in (None, Approval("", "ann"), Approval("  ", "ann")):
        with pytest.raises(
            ApprovalNeeded, match=r'moved: some row .2\.0.; nothing is published.*--approve "why"'
        ) as caught:
            _decide(settings, audit, empty)
    assert caught.value.changes == ("some row energy_moved_within_band: moved (2.0)",)
    used = _decide(settings, audit, Approval("it is right", "ann"))
    assert used == {"why": "it is right", "by": "ann", "findings": list(caught.value.changes)}
    assert {event["event"] for event in publications.events(settings)} == {"refused"}
    assert (settings.warehouse / "last_refusal" / "gate_report.html").exists()


def test_an_answer_lets_through_what_was_asked_and_nothing_else(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    audit = failed("energy_moved_within_band", approvable=True)
    with pytest.raises(ApprovalNeeded) as asked:
        _decide(settings, audit, None)
    answer = Approval("it is right", "ann", question(asked.value).changes)
    decided = _decide(settings, audit, answer)
    assert decided is not None and decided["by"] == "ann"
    more = audit + failed("no_configuration_lost", approvable=True)
    with pytest.raises(ApprovalNeeded, match=r"^the changes are no longer those that were approved"):
        _decide(settings, more, answer)


def test_a_refusal_names_a_few_rows_and_counts_the_others(tmp_path: Path) -> None:
    audit = failed("too_low", *"abcde", approvable=False) + failed("too_high", "f", approvable=False)
    with pytest.raises(GateRefused) as caught:
        _decide(Settings(home=tmp_path), audit, None)
    said = "the gate refused: too_low: moved in 5 rows: a (2.0); b (2.0); c (2.0); and 2 more; 1 other check"
    assert str(caught.value).startswith(f"{said} also failed; nothing is published; report: ")


def test_a_question_holds_every_figure_in_its_place() -> None:
    hostile = "model`](javascript:alert(1)) \n# heading"
    changes = tuple(f"row {n}: {hostile}" for n in range(50))
    asked = question(ApprovalNeeded("a person must approve: many", changes))
    assert asked.subject.startswith("Publish this? row 0") and asked.subject.endswith(", and 49 more")
    items = [line for line in asked.body.splitlines() if line.startswith("- `")]
    assert len(items) == 40 and "- and 10 more" in asked.body
    assert all(item.count("`") == 2 and item.endswith("`") for item in items)
    assert "\n" not in asked.subject


def test_no_reason_lets_another_finding_through(tmp_path: Path) -> None:
    audit = failed("energy_moved_within_band", approvable=True) + failed(
        "energy_is_positive", approvable=False
    )
    with pytest.raises(GateRefused, match="the gate refused: energy_is_positive") as caught:
        _decide(Settings(home=tmp_path), audit, Approval("please", "ann"))
    assert not isinstance(caught.value, ApprovalNeeded)
