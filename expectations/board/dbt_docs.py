"""dbt's own documentation page, with a policy that lets it load and send nothing."""

from __future__ import annotations

from pathlib import Path

DBT_DOCS = "dbt_docs.html"
"""File name in the site's folder."""

POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; "
    "img-src data: file: 'self'; font-src data:; base-uri 'none'; form-action 'none'"
)
"""Its script compiles templates, so it needs `unsafe-eval`. No page of ours does."""

_HEAD = "<head>"


def write_dbt_docs(docs: Path, folder: Path) -> None:
    """Copy dbt's page into the site's folder, with the policy as the first line of its head."""
    before, head, rest = docs.read_text().partition(_HEAD)
    policy = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    (folder / DBT_DOCS).write_text(f"{before}{head}{policy if head else ''}{rest}")
