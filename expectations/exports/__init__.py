"""A publication in the forms that other tools read: tables, and what describes them.

from expectations.exports import export_mlenergy, export_tables
"""

from expectations.exports.mlenergy import export_mlenergy
from expectations.exports.tables import export_tables

__all__ = ["export_mlenergy", "export_tables"]
