"""A model's rows by task and source: what all of them share is said once, what differs is a column."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmark_tasks.vocabulary import CONTRIBUTOR_PREFIX, DataSource, Task
from expectations.board.addresses import plain_name
from expectations.board.reading import SOURCES, source_title
from expectations.pages.names import runtime_title
from expectations.sql import Row

_HASH_SHOWN = 8
"""Characters of a revision that a table shows."""
_KILO = 1e3


@dataclass(frozen=True)
class Section:
    """One task of one source. shared: what all rows have in common. differing: columns of the rest."""

    task: str
    title: str
    source: str
    source_title: str
    unit: str
    rows: tuple[Row, ...]
    shared: tuple[str, ...]
    differing: tuple[tuple[str, Callable[[Row], str]], ...]

    @property
    def is_measured(self) -> bool:
        """Whether its rows rest on bundles: ours, or a contributor's."""
        return self.source == DataSource.JOULEBOARD or self.source.startswith(CONTRIBUTOR_PREFIX)

    @property
    def anchor(self) -> str:
        """Its id on the page."""
        return plain_name(f"{self.task}-{self.source}")

    @property
    def makes_tokens(self) -> bool:
        """Whether an output is a token; otherwise an image or a video."""
        return self.unit == "token"

    @property
    def least(self) -> tuple[Row, ...]:
        """On each GPU model the row that takes least, of those that `min_energy_configurations` has.

        Images and videos of unusual steps or size count only where there are no others.
        """
        best: dict[str, Row] = {}
        for row in self.rows:
            if row["is_minimum"]:
                known = best.get(row["gpu_model"])
                if known is None or _nearest_first(row) < _nearest_first(known):
                    best[row["gpu_model"]] = row
        return tuple(sorted(best.values(), key=_nearest_first))

    @property
    def scale(self) -> tuple[float, str]:
        """Factor and unit for all energies per output of the table."""
        known = [row["energy_per_output_joules"] for row in self.rows if row["energy_per_output_joules"]]
        return (1 / _KILO, "kJ") if known and min(known) >= _KILO else (1.0, "J")


def _nearest_first(row: Row) -> tuple[int, float]:
    return row["generation_order"] or 0, row["energy_per_output_joules"]


def sections(rows: Sequence[Row], titles: Mapping[str, str]) -> list[Section]:
    """The parts of a model's page, in the order of tasks, our own measurements first.

    titles: name by task.
    """
    order = [(task.value, source) for task in Task for source in SOURCES]
    parts: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        parts.setdefault((row["task"], row["data_source"]), []).append(row)
    return [_section(key, parts[key], titles) for key in sorted(parts, key=lambda key: _place(key, order))]


@dataclass(frozen=True)
class Model:
    """A model with its sections. facts: any of its rows, for what is the model's own."""

    facts: Row
    sections: tuple[Section, ...]
    address: str

    def rows_of(self, group: Group) -> int:
        """How many rows it has in a group."""
        return sum(len(part.rows) for part in self.sections if part.task in group.tasks)


@dataclass(frozen=True)
class Group:
    """Models of one kind of task. tasks: title and unit of an output by task."""

    title: str
    tasks: Mapping[str, tuple[str, str]]
    models: tuple[Model, ...]


def groups(models: Sequence[Model]) -> list[Group]:
    """The index of models: a model stands in the group of each kind of task that it was measured on."""
    found = []
    for architecture, title in _GROUPS.items():
        parts = [part for model in models for part in model.sections]
        here = {part.task: part for part in parts if part.rows[0]["architecture"] == architecture}
        order = [task.value for task in Task if task.value in here]
        tasks = {task: (here[task].title, here[task].unit) for task in order}
        members = tuple(model for model in models if any(part.task in tasks for part in model.sections))
        if members:
            found.append(Group(title, tasks, members))
    return found


_GROUPS = {
    "llm": "Text",
    "mllm": "Images, video and sound in the request",
    "diffusion": "Generated images and videos",
}


def _place(key: tuple[str, str], order: Sequence[tuple[str, str]]) -> tuple[int, tuple[str, str]]:
    return (order.index(key) if key in order else len(order), key)


def _section(key: tuple[str, str], rows: Sequence[Row], titles: Mapping[str, str]) -> Section:
    task, source = key
    shared, differing = [], []
    for label, said in _KEYS:
        values = {said(row) for row in rows}
        if len(values) > 1:
            differing.append((label, said))
        elif value := values.pop():
            shared.append(f"{label}: {value}")
    return Section(
        task=task,
        title=titles.get(task, task),
        source=source,
        source_title=source_title(source),
        unit=rows[0]["output_unit"],
        rows=tuple(rows),
        shared=tuple(shared),
        differing=tuple(differing),
    )


def _parallelism(row: Row) -> str:
    degrees = {
        "tensor": row["tensor_parallel"],
        "expert": row["expert_parallel"],
        "data": row["data_parallel"],
        "Ulysses": row["ulysses_degree"],
        "ring": row["ring_degree"],
    }
    return ", ".join(f"{name} {degree}" for name, degree in degrees.items() if degree and degree > 1)


def _size(row: Row) -> str:
    return f"{row['width']}x{row['height']}" if row["width"] else ""


def _runtime(row: Row) -> str:
    """The release that was measured and, where canaries stand in for a later one, which."""
    name = f"{runtime_title(row['runtime'])} {row['runtime_version'] or '(version not published)'}"
    until = row.get("canaries_unchanged_until")
    said = [*([f"unchanged until {until}"] if until else []), *drafts_of(row)]
    return f"{name} ({', '.join(said)})" if said else name


def drafts_of(row: Row) -> list[str]:
    """What is said of speculative decoding: the length of a draft, and how much of it is accepted."""
    tokens, measured = row.get("speculative_tokens"), row.get("acceptance_length")
    accepted = row.get("prescribed_acceptance_length") if measured is None else measured
    drafts = [f"drafts of {tokens} token{'s' if tokens > 1 else ''}"] if tokens else []
    how_many = "" if accepted is None else f"{accepted:.3g} per step "
    if row.get("acceptance_is_prescribed"):
        return [*drafts, f"{how_many}accepted as prescribed"]
    return [*drafts, *([f"{how_many}accepted"] if how_many else [])]


def _cap(row: Row) -> str:
    return f"{row['power_limit_watts']:,.0f} W" if row["power_limit_watts"] else ""


def _requests(row: Row) -> str:
    """The request set without what the task says already."""
    return str(row["request_set_id"] or "").removeprefix(f"synthetic-{row['task']}-")


def _text(key: str) -> Callable[[Row], str]:
    return lambda row: "" if row[key] is None else str(row[key])


_KEYS: tuple[tuple[str, Callable[[Row], str]], ...] = (
    ("tier", lambda row: "" if row.get("tier") in (None, "certified", "published") else row["tier"]),
    ("precision", _text("weight_precision")),
    ("parallelism", _parallelism),
    ("steps", _text("inference_steps")),
    ("size", _size),
    ("frames", _text("num_frames")),
    ("runtime", _runtime),
    ("weights", _text("weights")),
    ("revision", lambda row: (row["model_revision"] or "")[:_HASH_SHOWN]),
    ("request set", _requests),
    ("lengths", _text("length_control")),
    ("power limit per GPU", _cap),
)
"""What rows of one model and task may differ in, besides GPUs and batch size."""
