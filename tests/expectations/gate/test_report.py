"""The gate's report: a summary first, one line per kind of finding, units on every number."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from expectations.gate.auditor import Audit, CheckResult
from expectations.gate.report import as_html, meaning, with_unit
from expectations.suites.checks import Check, GateFinding, Level, Severity, Tolerance

SHARE = Tolerance(-0.02, 0.02, "relative", "methodology")
HOT = Check("too_hot", Severity.WARNING, "a GPU was hot", within=Tolerance(None, 80, "degrees C", "maker"))
APART = Check("instruments_agree", Severity.CRITICAL, "the instruments differ", within=SHARE)
HOSTILE = "<script>alert(1)</script>"


def result(check: Check, level: Level, *observed: str) -> CheckResult:
    findings = [
        GateFinding(check.name, check.severity, f"run-{number}", value, check.reason)
        for number, value in enumerate(observed)
    ]
    return CheckResult(level, "runs", check, 9, tuple(findings))


@pytest.mark.parametrize(
    ("check", "observed", "shown"),
    [
        (HOT, "91.5", "91.5 degrees C"),
        (APART, "0.0314", "+3.1 %"),
        (APART, "0.0314 of the counter", "0.0314 of the counter"),
        (Check("present", Severity.CRITICAL, "absent", not_null=True), "3", "3"),
    ],
)
def test_a_number_has_its_unit(check: Check, observed: str, shown: str) -> None:
    assert with_unit(observed, check) == shown


def test_the_summary_stands_first_and_identifiers_last() -> None:
    audit = Audit(
        (result(HOT, Level.RUN, "91", "95"), result(APART, Level.RUN, "0.03"), result(HOT, Level.MART)),
        {"run-0": f"Qwen {HOSTILE}"},
    )
    text = as_html(audit, "Gate report")
    assert text.index("In short") < text.index("What was found") < text.index("All checks")
    assert re.findall(r"<strong>(\d+)</strong><small>([^<]+)", text) == [
        ("3", "checks"),
        ("1", "run failed a check"),
        ("0", "reasons to refuse the publication"),
        ("2", "warnings"),
    ]
    kinds = re.findall(r'<td class="wide"><span class="badge \w+">(\w+)</span> ([^<]+)', text)
    assert kinds == [("refuses", "the instruments differ"), ("warns", "a GPU was hot")]
    assert "2 of 9" in text
    assert '<details class="fold" open' not in text
    rows = re.findall(r"<tr><td>[^<]*</td><td class=\"wide\">(.*?)</td><td class=\"key\"><code>(.*?)<", text)
    assert rows == [("+3 %", "run-0"), ("91 degrees C", "run-0"), ("95 degrees C", "run-1")]
    assert HOSTILE not in text


@pytest.mark.parametrize(
    ("level", "severity", "says"),
    [
        (Level.RUN, Severity.CRITICAL, "in no figure"),
        (Level.CROSS_RUN, Severity.WARNING, "not refused"),
        (Level.MART, Severity.CRITICAL, "refused"),
        (Level.PUBLICATION, Severity.WARNING, "published as they are"),
    ],
)
def test_every_finding_says_what_it_means(level: Level, severity: Severity, says: str) -> None:
    assert says in meaning(result(Check("any", severity, "why", not_null=True), level, "x"))


def test_a_check_of_two_tables_has_one_anchor() -> None:
    audit = Audit((result(HOT, Level.MART, "91"), result(HOT, Level.PUBLICATION, "92")))
    assert as_html(audit, "Gate report").count('id="too_hot"') == 1


def test_a_check_of_several_tables_is_one_line() -> None:
    present = Check("present", Severity.CRITICAL, "a value is missing", not_null=True)
    tables = [replace(result(present, Level.MART, *["x"] * count), table=f"mart_{count}") for count in (2, 3)]
    text = as_html(Audit((*tables, result(HOT, Level.RUN, "91"))), "Gate report")
    lines = re.findall(r'<td class="number">(\d+ of \d+)(?:<small>([^<]+))?', text)
    assert lines == [("5 of 18", "in 2 tables"), ("1 of 9", "")]
    assert text.count('id="present"') == 1
    assert [text.count(f"<code>mart_{count}</code>") for count in (2, 3)] == [1, 1]
