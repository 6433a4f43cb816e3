"""What the dbt project's YAML says: every column of a mart once, in words that stand in one place."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from expectations.candidate.build import PROJECT

MODELS = PROJECT / "models"
DOC_BLOCK = re.compile(r"\{% docs (\w+) %\}\n(.*?)\n\{% enddocs %\}", re.DOTALL)
DOC_CALL = re.compile(r"\{\{ doc\('(\w+)'\) \}\}")


def properties(folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every model's entry under a folder, with the file in which it stands."""
    for path in sorted(folder.rglob("*.yml")):
        for model in yaml.safe_load(path.read_text()).get("models", []):
            yield path, model


def doc_blocks() -> dict[str, str]:
    """The text of every doc block, by its name."""
    return dict(DOC_BLOCK.findall("".join(path.read_text() for path in sorted(MODELS.rglob("*.md")))))


def described_columns() -> list[tuple[str, str]]:
    """(place, description as written) of every column that the project describes."""
    return [
        (f"{model['name']}.{column['name']}", column.get("description", "").strip())
        for _, model in properties(MODELS)
        for column in model.get("columns", [])
    ]


def test_every_column_of_a_mart_has_a_description() -> None:
    assert [place for place, description in described_columns() if not description] == []


def test_no_description_stands_twice() -> None:
    texts = [text for _, text in described_columns() if not DOC_CALL.fullmatch(text)]
    counts = Counter(" ".join(text.split()) for text in [*texts, *doc_blocks().values()])
    assert [text for text, count in counts.items() if count > 1] == []


def test_every_doc_block_is_used_in_more_than_one_place() -> None:
    uses = Counter(name for _, text in described_columns() for name in DOC_CALL.findall(text))
    assert {name: uses[name] for name in doc_blocks() if uses[name] < 2} == {}


def test_a_model_stands_beside_its_properties_and_unit_tests() -> None:
    for folder in (MODELS / "marts", MODELS / "intermediate"):
        models = {path.with_suffix(".yml") for kind in ("*.sql", "*.py") for path in folder.rglob(kind)}
        assert {path for path, _ in properties(folder)} == models
        for path in models:
            content = yaml.safe_load(path.read_text())
            assert [model["name"] for model in content["models"]] == [path.stem]
            assert {test["model"] for test in content.get("unit_tests", [])} <= {path.stem}
