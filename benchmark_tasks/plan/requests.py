"""What a person chooses of a sweep's requests: one set of rules for the command and for the form.

Fields have the names of the command's options and of the form's fields.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from benchmark_tasks.catalog import AnswerKey
from benchmark_tasks.errors import SettingsError, what_is_wrong
from benchmark_tasks.vocabulary import AnswerForm, LengthControl
from benchmark_tasks.workloads.own_prompts import SUFFIXES
from benchmark_tasks.workloads.sampling import Sampling
from benchmark_tasks.workloads.set_names import SYNTHETIC, name_of_file

USUAL_ANSWER_COLUMN = "answer"

_FIELDS_OF_RECORDS = {
    "column": "answer_column",
    "form": "answer_form",
    "maximum_output_tokens": "max_output_tokens",
    "seed": "request_seed",
}


class ImpossibleRequests(SettingsError):
    """A choice that is impossible. field: which one. why: one clause, for a command and a form alike."""

    def __init__(self, field: str, why: str) -> None:
        self.field, self.why = field, why
        super().__init__(f"--{field.replace('_', '-')}: {why}")


def chosen_requests(
    *,
    prompts: str | Path | None = None,
    request_set: str | None = None,
    length: LengthControl | None = None,
    answer_form: AnswerForm | str | None = None,
    answer_column: str | None = None,
    choices: int | None = None,
    max_output_tokens: int | None = None,
    temperature: float | None = None,
    request_seed: int | None = None,
    keep_answers: int | None = None,
) -> dict[str, Any]:
    """The fields of a sweep that these choices decide; what nobody chose is left out.

    prompts: the whole path of a file on the host that measures. length: natural for real prompts if nobody
    chose, which is what they are for.

    Raises:
        ImpossibleRequests: names the first choice that is impossible.
    """
    key = _answer_key(answer_form, answer_column, choices)
    fields: dict[str, Any] = {"length_control": length, "kept_answers": keep_answers}
    if prompts is not None:
        if request_set is not None:
            raise ImpossibleRequests("prompts", "a request set is asked for, too: give one of them")
        fields |= _own_prompts(Path(prompts), key)
    elif request_set is not None:
        fields["request_set"] = request_set
    if key is not None:
        _require_gradable(prompts, length)
    if length is None and fields.get("request_set") not in (None, SYNTHETIC):
        fields["length_control"] = LengthControl.NATURAL
    fields["sampling"] = _sampling(max_output_tokens, temperature, request_seed)
    return {name: value for name, value in fields.items() if value is not None}


def _own_prompts(file: Path, key: AnswerKey | None) -> dict[str, Any]:
    """Name and entry of the request set of a file."""
    if not file.is_absolute() or not str(file).isprintable():
        raise ImpossibleRequests("prompts", "not a whole path: write it from / on")
    if file.suffix.lower() not in SUFFIXES:
        raise ImpossibleRequests("prompts", f"not one of {', '.join(SUFFIXES)}: prompts are read from these")
    entry = {"file": str(file), "answer_key": key and key.model_dump(mode="json"), "source": "--prompts"}
    return {"request_set": name_of_file(file), "data_set": entry}


def _answer_key(form: AnswerForm | str | None, column: str | None, choices: int | None) -> AnswerKey | None:
    """Where right answers are, and how answers are read; the rules are those of `AnswerKey`."""
    if form is None:
        alone = "answer_column" if column is not None else "choices"
        if column is not None or choices is not None:
            raise ImpossibleRequests(alone, "it needs an answer form: how answers are read")
        return None
    try:
        return AnswerKey.model_validate(
            {"column": column or USUAL_ANSWER_COLUMN, "form": form, "choices": choices}
        )
    except ValidationError as error:
        raise _impossible(error, "choices") from error


def _require_gradable(prompts: str | Path | None, length: LengthControl | None) -> None:
    if prompts is None:
        why = "it grades prompts from a file; other data sets say so in the catalog (answer_key)"
        raise ImpossibleRequests("answer_form", why)
    if length is LengthControl.FIXED:
        raise ImpossibleRequests("answer_form", "answers must end by themselves: leave out --length fixed")


def _sampling(cap: int | None, temperature: float | None, seed: int | None) -> dict[str, Any] | None:
    chosen = {"maximum_output_tokens": cap, "temperature": temperature, "seed": seed}
    if all(value is None for value in chosen.values()):
        return None
    try:
        Sampling.model_validate(chosen)
    except ValidationError as error:
        raise _impossible(error, "max_output_tokens") from error
    return chosen


def _impossible(error: ValidationError, usual: str) -> ImpossibleRequests:
    """The first problem of a record, by the field of the choice. usual: of rules on several fields."""
    first = error.errors()[0]
    name = str(first["loc"][0]) if first["loc"] else usual
    return ImpossibleRequests(_FIELDS_OF_RECORDS.get(name, name), what_is_wrong(first))
