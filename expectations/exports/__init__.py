"""A publication in the forms that other tools read: tables, and what describes them.

from expectations.exports import export_mlenergy, export_mlenergy_runs, export_tables
"""

from expectations.exports.mlenergy import export_mlenergy
from expectations.exports.mlenergy_runs import export_mlenergy_runs
from expectations.exports.tables import export_tables

__all__ = ["export_mlenergy", "export_mlenergy_runs", "export_tables"]
