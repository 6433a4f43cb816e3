"""A publication in the forms that other tools read: tables, and what describes them; a database.

from expectations.exports import export_hub, export_mlenergy, export_tables
"""

from expectations.exports.ecologits import export_ecologits
from expectations.exports.hub import export_hub
from expectations.exports.mlenergy import export_mlenergy
from expectations.exports.mlenergy_runs import export_mlenergy_runs
from expectations.exports.postgresql import Target, bring_up_to_date
from expectations.exports.tables import export_tables

__all__ = [
    "Target",
    "bring_up_to_date",
    "export_ecologits",
    "export_hub",
    "export_mlenergy",
    "export_mlenergy_runs",
    "export_tables",
]
