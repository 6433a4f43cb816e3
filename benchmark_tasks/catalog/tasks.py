"""`tasks/<task>.yaml`: the requests of a task, and what it is compared with."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, model_validator

from benchmark_tasks.catalog.fields import HubId, Name, Positive
from benchmark_tasks.results.record import Count, Degree, MeasuredKey, Record
from benchmark_tasks.vocabulary import AnswerForm, Architecture, LengthControl, MediaKind, OutputUnit, Task

DataSetName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=60)]


class LengthDistribution(Record):
    """Lengths in tokens, log-normal and clipped: exp(Normal(ln median, sigma)) kept in [minimum, maximum]."""

    median_tokens: Positive
    sigma: MeasuredKey
    minimum_tokens: Degree
    maximum_tokens: Degree
    source: Name

    @model_validator(mode="after")
    def _ordered(self) -> LengthDistribution:
        if not self.minimum_tokens <= self.median_tokens <= self.maximum_tokens:
            raise ValueError("minimum_tokens <= median_tokens <= maximum_tokens must hold")
        return self


class SyntheticMedia(Record):
    """The one item that a synthetic request carries.

    sizes: width and height in pixels of pictures and clips; all sizes are equally frequent.
    frames: stills of a clip. seconds, samples_per_second: of a recording.
    """

    kind: MediaKind
    sizes: tuple[tuple[Degree, Degree], ...] = ()
    frames: Degree = 1
    seconds: Positive | None = None
    samples_per_second: Degree = 16_000
    source: Name

    @model_validator(mode="after")
    def _complete(self) -> SyntheticMedia:
        if (self.kind is MediaKind.AUDIO) != (self.seconds is not None):
            raise ValueError("audio needs `seconds`; images and videos must not have it")
        if (self.kind is MediaKind.AUDIO) == bool(self.sizes):
            raise ValueError("images and videos need `sizes`; audio must not have it")
        if (self.kind is MediaKind.VIDEO) != (self.frames > 1):
            raise ValueError("a video needs more than one of `frames`; images and audio have one")
        return self


class RequestDefaults(Record):
    """The requests of a language task."""

    request_set: Name = "synthetic"
    length_control: LengthControl = LengthControl.FIXED
    input_tokens: LengthDistribution
    output_tokens: LengthDistribution
    media: SyntheticMedia | None = None
    seed: Count = 0


class PromptForm(StrEnum):
    """How a data set's rows become prompts; decides between Chat Completions and Completions, too.

    PROMPTS: the fields of files of one's own (`workloads/own_prompts.py`).
    """

    CONVERSATION = "conversation"
    MULTIPLE_CHOICE = "multiple-choice"
    FILL_IN_THE_MIDDLE = "fill-in-the-middle"
    IMAGE_CONVERSATION = "image-conversation"
    VIDEO_QUESTION = "video-question"
    AUDIO_QUESTION = "audio-question"
    PROMPTS = "prompts"

    @property
    def media(self) -> MediaKind | None:
        """What each row carries besides text."""
        return _MEDIA.get(self)


_MEDIA = {
    PromptForm.IMAGE_CONVERSATION: MediaKind.IMAGE,
    PromptForm.VIDEO_QUESTION: MediaKind.VIDEO,
    PromptForm.AUDIO_QUESTION: MediaKind.AUDIO,
}


class AnswerKey(Record):
    """Where a data set has the right answers, and how answers are read (`grading`).

    column: of the right answer. choices: how many letters there are to choose from; an accuracy is compared
        with chance, one in so many.
    """

    column: Name
    form: AnswerForm
    choices: Annotated[int, Field(ge=2, le=26)] | None = None

    @model_validator(mode="after")
    def _with_choices(self) -> AnswerKey:
        if (self.form is AnswerForm.CHOICE) != (self.choices is not None):
            raise ValueError("`form: choice` needs `choices`, how many letters there are; others have none")
        return self


class DataSetEntry(Record):
    """A real data set on the model hub, or in a file of one's own.

    hub_id, file: where it is; one of both. A file is named by its whole path on every host that measures.
    revision: a commit, or a branch that is resolved to its commit when the data is fetched.
    kept_prompts: how many prompts, chosen by the seed, a request set holds before it starts again.
    first_rows: how many rows are fetched from the hub, from the first on; `None` fetches all.
    answer_key: where the right answers are, if answers are to be graded.
    """

    hub_id: HubId | None = None
    file: Annotated[str, Field(pattern=r"^/[^\x00-\x1f\x7f]*$")] | None = None
    subset: Name | None = None
    split: Name = "train"
    revision: Name | None = None
    form: PromptForm = PromptForm.PROMPTS
    maximum_output_tokens: Degree = 4096
    kept_prompts: Degree = 8192
    first_rows: Degree | None = None
    answer_key: AnswerKey | None = None
    source: Name

    @model_validator(mode="after")
    def _of_one_place(self) -> DataSetEntry:
        if (self.hub_id is None) == (self.file is None):
            raise ValueError("a data set is on the hub (`hub_id`) or in a file (`file`): name one of both")
        if (self.hub_id is None) != (self.revision is None):
            raise ValueError("a data set on the hub needs `revision`; a file has none, its content is hashed")
        if (self.file is None) == (self.form is PromptForm.PROMPTS):
            raise ValueError("a file has `form: prompts`; a data set on the hub has another form")
        self._require_gradable()
        return self

    def _require_gradable(self) -> None:
        """Of data sets on the hub, those whose rows have the right choice can be graded."""
        key = self.answer_key
        if key is None or self.form is PromptForm.PROMPTS:
            return
        if self.form is not PromptForm.MULTIPLE_CHOICE or key != RIGHT_CHOICE:
            raise ValueError(
                f"a data set on the hub is graded with `form: {PromptForm.MULTIPLE_CHOICE}` and `answer_key:"
                f" {{column: {RIGHT_CHOICE.column}, form: choice, choices: 4}}`; copy others to a file"
            )


RIGHT_CHOICE = AnswerKey(column="Correct Answer", form=AnswerForm.CHOICE, choices=4)
"""The answer key of data sets on the hub with one right and three wrong answers, which are shuffled."""


class TaskAddition(Record):
    """What an installation adds to a shipped task: data sets, and which requests are sent by default.

    request_set, length_control: instead of the shipped choice; `None` leaves it.
    """

    task: Task
    request_set: Name | None = None
    length_control: LengthControl | None = None
    data_sets: dict[DataSetName, DataSetEntry] = {}

    @model_validator(mode="after")
    def _says_something(self) -> TaskAddition:
        if not self.data_sets and self.request_set is None and self.length_control is None:
            raise ValueError("add `data_sets`, or choose `request_set` or `length_control`")
        if self.task.architecture is Architecture.DIFFUSION:
            raise ValueError("images and videos have no data sets")
        return self


class TaskEntry(Record):
    """A task: its name for people, its requests, and what it is compared with.

    requests: of a language task; images and videos are asked for by `diffusion/prompts.py`.
    reference_tasks: with which tasks it is compared, model by model.
    median_itl_ceilings_ms, batch_latency_ceilings_seconds: latencies under which GPU models are compared;
        the first for tasks that answer in tokens, the second for all others.
    """

    task: Task
    display_name: Name
    requests: RequestDefaults | None = None
    data_sets: dict[Name, DataSetEntry] = {}
    reference_tasks: tuple[Task, ...] = ()
    median_itl_ceilings_ms: tuple[Positive, ...] = ()
    batch_latency_ceilings_seconds: tuple[Positive, ...] = ()

    @property
    def architecture(self) -> Architecture:
        """The kind of model that does it."""
        return self.task.architecture

    @property
    def output_unit(self) -> OutputUnit:
        """The unit that its output is counted in."""
        return self.task.output_unit

    @property
    def input_media(self) -> MediaKind | None:
        """What a request carries besides text; `None` for text alone."""
        return self.task.input_media

    @model_validator(mode="after")
    def _consistent(self) -> TaskEntry:
        if (self.requests is None) != (self.architecture is Architecture.DIFFUSION):
            raise ValueError("language tasks need `requests`; diffusion tasks must not have it")
        media = self.requests.media if self.requests else None
        if (media.kind if media else None) is not self.input_media:
            raise ValueError(
                f"requests of {self.task} carry {self.input_media or 'no media'}: change `requests.media`"
            )
        if self.data_sets and (self.requests is None or "synthetic" in self.data_sets):
            raise ValueError("`data_sets` needs `requests`, and no data set may be called `synthetic`")
        self._require_fitting_ceilings()
        return self

    def _require_fitting_ceilings(self) -> None:
        in_tokens = self.output_unit is OutputUnit.TOKEN
        if self.batch_latency_ceilings_seconds if in_tokens else self.median_itl_ceilings_ms:
            raise ValueError(
                "tasks that answer in tokens need ceilings of ITL, other tasks ceilings of batch latency"
            )
        if self.task in self.reference_tasks:
            raise ValueError("a task must not be compared with itself")
