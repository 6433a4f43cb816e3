"""What one image or video takes: the answer of `jouleboard price`, measured or by a law."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmark_tasks.errors import SettingsError
from benchmark_tasks.results.identity import IDENTITY_KEYS, WORKLOAD_KEYS
from expectations.laws.law import Law, Point
from expectations.laws.published import PublishedLaw, best_laws
from expectations.prices.answer import BASIS, digits
from expectations.prices.published import is_of, setup_name, version_order
from expectations.publications import Publication
from expectations.publications.queries import open_publication
from expectations.sql import rows_of
from expectations.suites.mart.laws import FEWEST_PROOFS, MOST_ERROR

ROOM = Path(__file__).parent
BEST, NEAREST, MEASURED_ROWS = (ROOM / name for name in ("best.sql", "nearest.sql", "measured.sql"))
MARTS = {"leaderboard", "diffusion_energy_surface", "diffusion_energy_law", "diffusion_law_proof"}
MEASURED = "measured"
LAWS: Mapping[Law, str] = {
    Law.POWER: "a power of each knob",
    Law.FIXED_POWER: "a fixed part and a power of each knob",
    Law.WORK: "the sum of the work",
}
"""What each law is, for people; docs/diffusion-law.md has the formulas."""

KEYS = ("nickname", "output_unit", *(key for key in IDENTITY_KEYS if key not in WORKLOAD_KEYS))
"""Columns that say of what a row is; those of a family but for the names."""
COLUMNS = (
    "model_id",
    "weight_precision",
    "gpu_model",
    "num_gpus",
    "ulysses_degree",
    "ring_degree",
    "batch_size",
    "runtime",
    "runtime_version",
    "weights",
    "inference_steps",
    "height",
    "width",
    "num_frames",
    "output_unit",
    "joules",
    "low_joules",
    "high_joules",
    "held_out_error",
    "basis",
    "leaderboard_id",
)
"""Of the CSV."""
_ID_DIGITS = 12

Row = Mapping[str, Any]


@dataclass
class Setup:
    """What was measured or has a law, where only steps, resolution and frames differ.

    keys: by name, `KEYS`. measured: rows of `measured.sql`. nearest: the row of `nearest.sql`, where one of
    them was varied.
    """

    keys: Row
    law: PublishedLaw | None = None
    measured: list[Row] = field(default_factory=list)
    nearest: Row | None = None

    @property
    def name(self) -> str:
        """For people; the batch size is not in it."""
        return setup_name(self.keys)


@dataclass(frozen=True)
class Asked:
    """An image, or a video of so many frames."""

    steps: int
    height: int
    width: int
    frames: int | None

    @property
    def point(self) -> Point:
        """As laws know it."""
        return Point(self.steps, self.height * self.width, self.frames or 1)

    @property
    def name(self) -> str:
        """For people."""
        return _kind(self.steps, self.height, self.width, self.frames)


@dataclass(frozen=True)
class Answer:
    """Joules of one image or video: of a measured row, or by a law."""

    keys: Row
    joules: float
    row: Row | None
    law: PublishedLaw | None

    @property
    def basis(self) -> str:
        """Which of the two it is."""
        return MEASURED if self.law is None else BASIS

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 %, of a measured row where it is known. A law has its error instead."""
        if self.row is None or self.row["energy_per_output_low_joules"] is None:
            return None
        return self.row["energy_per_output_low_joules"], self.row["energy_per_output_high_joules"]

    @property
    def error(self) -> float | None:
        """The largest error of the law on points that it was fitted without, a share."""
        return None if self.law is None else self.law.of["held_out_largest_error"]


@dataclass(frozen=True)
class Answers:
    """Answers by rising batch size, all of the newest version that has any.

    keys: what they share but the batch size. other_versions: those that could answer, too.
    """

    keys: Row
    asked: Asked
    answers: tuple[Answer, ...]
    other_versions: tuple[str, ...]

    def records(self) -> list[dict[str, Any]]:
        """One dict per batch size, in `COLUMNS`."""
        return [_record(self.asked, each) for each in self.answers]


def setups_of(published: Publication) -> list[Setup]:
    """What a publication says of images and videos; nothing of one from before there were laws."""
    with open_publication(published) as connection:
        names = {name for (name,) in connection.execute("select table_name from duckdb_tables()").fetchall()}
        if not names >= MARTS:
            return []
        return setups(*(rows_of(connection, path) for path in (BEST, MEASURED_ROWS, NEAREST)))


def setups(laws: Sequence[Row], measured: Iterable[Row], nearest: Iterable[Row]) -> list[Setup]:
    """The setups of these rows: of `best.sql`, `measured.sql` and `nearest.sql`."""
    found: dict[tuple[Any, ...], Setup] = {}

    def setup(row: Row) -> Setup:
        keys = {key: row.get(key) for key in KEYS}
        return found.setdefault(tuple(keys.values()), Setup(keys))

    for law in best_laws(laws).values():
        setup(law.of).law = law
    for row in measured:
        setup(row).measured.append(row)
    for row in nearest:
        setup(row).nearest = row
    return sorted(found.values(), key=lambda each: (each.name, each.keys["batch_size"]))


def answers(
    known: Sequence[Setup],
    *,
    model: str,
    gpu: str,
    steps: int,
    height: int,
    width: int,
    frames: int | None = None,
    version: str | None = None,
    weights: str | None = None,
    precision: str | None = None,
    gpus: int | None = None,
    batch_size: int | None = None,
) -> Answers:
    """What one image or video takes at each batch size: measured if it was, by the law of its setup if not.

    model: its id or display name. Of several versions the newest that can answer.

    Raises:
        SettingsError: nothing was measured or proven that answers, or several setups could.
    """
    options = {
        "runtime_version": version,
        "weights": weights,
        "weight_precision": precision,
        "num_gpus": gpus,
        "batch_size": batch_size,
    }
    of_both = _of_model(
        known, model, gpu, {key: value for key, value in options.items() if value is not None}
    )
    asked = Asked(steps, height, width, frames)
    _require_frames(of_both[0].keys, asked)
    told = [(setup, answer) for setup in of_both for answer in _answers(setup, asked)]
    if not told:
        raise SettingsError(_why_not(of_both, asked))
    versions = sorted({setup.keys["runtime_version"] for setup, _ in told}, key=version_order, reverse=True)
    newest = [(setup, answer) for setup, answer in told if setup.keys["runtime_version"] == versions[0]]
    names = list(dict.fromkeys(setup.name for setup, _ in newest))
    if len(names) > 1:
        raise SettingsError(f"several, choose with --weights, --precision or --gpus: {'; '.join(names)}")
    return Answers(newest[0][0].keys, asked, tuple(answer for _, answer in newest), tuple(versions[1:]))


def why_no_law(nearest: Row) -> str:
    """Why a family has no law, without a full stop. nearest: its row of `nearest.sql`."""
    if nearest["law"] is None:
        return "these points are too few, or too much alike, to tell the terms of one apart"
    name, tested = LAWS[Law(nearest["law"])], nearest["tested_points"]
    if nearest["largest_error"] is None or nearest["largest_error"] <= MOST_ERROR:
        return f"only {tested} points are within the others and could be left out; {FEWEST_PROOFS} must be"
    return (
        f"the nearest ({name}) misses one of {tested} points that it was fitted without by"
        f" {100 * nearest['largest_error']:.1f} %, and at most {100 * MOST_ERROR:.0f} % are allowed"
    )


def in_words(
    found: Answers,
) -> tuple[str, tuple[tuple[str, ...], list[tuple[str, ...]]], tuple[str, ...]]:
    """A line before, a table with its header, and lines after it."""
    is_split = found.keys["num_gpus"] > 1
    header: tuple[str, ...] = (
        *(("ulysses x ring",) if is_split else ()),
        "batch size",
        f"J per {found.keys['output_unit']}",
        "95 % interval",
        "error at most",
        "what it is",
        "rests on",
    )
    rows: list[tuple[str, ...]] = [
        (
            *((f"{each.keys['ulysses_degree']} x {each.keys['ring_degree']}",) if is_split else ()),
            str(each.keys["batch_size"]),
            digits(each.joules),
            "-" if each.interval is None else f"{digits(each.interval[0])} to {digits(each.interval[1])}",
            "-" if each.error is None else f"{100 * each.error:.1f} %",
            each.basis,
            _rests_on(each),
        )
        for each in found.answers
    ]
    foot = []
    if any(each.law for each in found.answers):
        foot.append(
            f"{BASIS} is no measurement; the error is its largest on points that it was fitted without"
        )
    if any(each.row for each in found.answers):
        foot.append("`jouleboard explain ROW` says what a measured row rests on")
    if found.other_versions:
        foot.append(f"the newest version; --version chooses another one: {', '.join(found.other_versions)}")
    return f"{setup_name(found.keys)}: {found.asked.name}", (header, rows), tuple(foot)


def _of_model(known: Sequence[Setup], model: str, gpu: str, options: Mapping[str, Any]) -> list[Setup]:
    if not known:
        raise SettingsError(
            "this publication has no measured images or videos: jouleboard measure --model MODEL measures"
            " them"
        )
    of_both = [each for each in known if is_of(each.keys, model, gpu)]
    found = [each for each in of_both if all(each.keys[key] == value for key, value in options.items())]
    if found:
        return found
    if of_both:
        here = dict.fromkeys(f"{each.name}, batch size {each.keys['batch_size']}" for each in of_both)
        what = f"{model} on {gpu} with these options"
    else:
        here = dict.fromkeys(f"{each.keys['model_id']} on {each.keys['gpu_model']}" for each in known)
        what = f"{model} on {gpu}"
    raise SettingsError(f"no images or videos of {what}; there are: {'; '.join(here)}")


def _require_frames(keys: Row, asked: Asked) -> None:
    if keys["output_unit"] == "video" and asked.frames is None:
        raise SettingsError(f"{keys['nickname']} makes videos: give --frames")
    if keys["output_unit"] == "image" and asked.frames is not None:
        raise SettingsError(f"{keys['nickname']} makes images: leave --frames out")


def _answers(setup: Setup, asked: Asked) -> list[Answer]:
    rows = [row for row in setup.measured if _asked_of(row) == asked]
    if rows:
        return [Answer(setup.keys, row["energy_per_output_joules"], row, None) for row in rows]
    if setup.law is not None and setup.law.covers(asked.point):
        return [Answer(setup.keys, setup.law.fit.joules(asked.point), None, setup.law)]
    return []


def _why_not(of_both: Sequence[Setup], asked: Asked) -> str:
    """Of the setups that cannot answer, the newest that has a law, or else almost one, says why."""
    newest = sorted(of_both, key=lambda each: version_order(each.keys["runtime_version"]), reverse=True)
    for setup in newest:
        if setup.law is not None:
            return (
                f"{asked.name}: the law says nothing beyond {setup.law.covers_in_words}; there is no figure"
                f" ({setup.name})"
            )
    for setup in newest:
        if setup.nearest is not None:
            why = why_no_law(setup.nearest)
            return f"{asked.name} is not measured, and no law is proven: {why} ({setup.name})"
    rows = [row for setup in newest for row in setup.measured]
    here = dict.fromkeys(_asked_of(row).name for row in sorted(rows, key=_size))
    frames = "" if asked.frames is None else f" --frames {asked.frames}"
    return (
        f"{asked.name} is not measured, and there is no law; measured: {'; '.join(here)}; jouleboard measure"
        f" --model {newest[0].keys['model_id']} --steps {asked.steps} --height {asked.height}"
        f" --width {asked.width}{frames} measures it"
    )


def _asked_of(row: Row) -> Asked:
    return Asked(row["inference_steps"], row["height"], row["width"], row["num_frames"])


def _size(row: Row) -> tuple[int, ...]:
    return row["inference_steps"], row["height"], row["width"], row["num_frames"] or 1


def _kind(steps: int, height: int, width: int, frames: int | None) -> str:
    return f"{steps} steps, {width}x{height}" + (f", {frames} frames" if frames is not None else "")


def _rests_on(answer: Answer) -> str:
    if answer.law is not None:
        of = answer.law.of
        return f"{of['points']} points of {'one GPU' if of['num_gpus'] == 1 else 'one set of GPUs'}"
    assert answer.row is not None
    runs = answer.row["energy_repeats"]
    return f"{runs} run{'' if runs == 1 else 's'}, row {answer.row['leaderboard_id'][:_ID_DIGITS]}"


def _record(asked: Asked, answer: Answer) -> dict[str, Any]:
    low, high = answer.interval or (None, None)
    return {key: answer.keys.get(key) for key in COLUMNS} | {
        "inference_steps": asked.steps,
        "height": asked.height,
        "width": asked.width,
        "num_frames": asked.frames,
        "joules": answer.joules,
        "low_joules": low,
        "high_joules": high,
        "held_out_error": answer.error,
        "basis": answer.basis,
        "leaderboard_id": answer.row and answer.row["leaderboard_id"],
    }
