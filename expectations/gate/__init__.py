"""Judges runs and candidates: auditor, quarantine, approval by a person, report.

`intake` and `evidence` read the landing zone; they are imported by name, as they bring numpy and pyarrow.
"""

from expectations.gate.approval import Approval, Question, question, record_rejection
from expectations.gate.auditor import Audit, Auditor, CheckResult
from expectations.gate.quarantine import Release, Verdict, release, releases

__all__ = [
    "Approval",
    "Audit",
    "Auditor",
    "CheckResult",
    "Question",
    "Release",
    "Verdict",
    "question",
    "record_rejection",
    "release",
    "releases",
]
