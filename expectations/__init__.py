"""Decides what is published: the gate, the candidate, publications and their pages. Never imports Airflow.

`expectations.refresh` calls all of it in order; start reading there. The packages export their public names:

- `suites`: the checks; `gate`: judges runs and candidates;
- `candidate`: builds the marts; `publications`: keeps, switches and queries them; `board`: their pages;
- `history`: costs of a plan, rechecks of published figures.
"""
