"""A publication in the forms that other tools read: tables, and what describes them.

from expectations.exports import export_tables
"""

from expectations.exports.tables import export_tables

__all__ = ["export_tables"]
