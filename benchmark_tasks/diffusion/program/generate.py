"""Generates images or videos in batches, and reports when each batch began and ended.

Runs in the runtime's own environment: torch and diffusers, for xDiT also xfuser, nothing of this
project but the recipe of stand-in weights where a job asks for them. It lies alone in its folder, so that
nothing of this project can be imported by accident.

    python generate.py FOLDER             plain diffusers
    torchrun ... generate.py FOLDER       xDiT, one process per GPU

The measuring process controls it by files in FOLDER, each renamed into place when it is complete:

    job.json        what to build, written before the start
    point-N.json    {"batch_size": B}: generate batches of B, one after the other
    point-N.stop    the current batch is the last one
    leave           end the process

It answers with one JSON object per line in events.jsonl: `ready`, `batch`, `ended`, and `failed` when it
cannot continue. Times are nanoseconds of CLOCK_MONOTONIC.
"""

from __future__ import annotations

import importlib
import inspect
import io
import json
import os
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

POLL_SECONDS = 0.02
SAMPLE_BYTES = 60_000
SAMPLE_PIXELS = 768
SHEET = 3
"""A video's sample shows SHEET x SHEET of its frames."""

STAND_IN = "stand-in.1"
"""A job whose weights are drawn by a recipe: the one module of this project that is used here, and only then;
whoever measures puts it on the PYTHONPATH."""

ARGUMENTS = {"inference_steps": "num_inference_steps"}
"""Names that diffusers has for keys of a configuration, where they differ."""

COMPUTED = ("computed_width", "computed_height")
"""Fields of a sample: width and height of the latent picture, in pixels."""

WITH_XFUSER_TRANSFORMER = {
    "WanPipeline": ("transformer_wan", "xFuserWanTransformer3DWrapper"),
    "HunyuanVideoPipeline": ("transformer_hunyuan_video", "xFuserHunyuanVideoTransformer3DWrapper"),
}
"""Pipelines that xfuser runs as they are, with a transformer of its own; the others it wraps."""


def main(folder: Path) -> None:
    """Build the pipeline of job.json, and generate batches until the file `leave` exists."""
    job = json.loads((folder / "job.json").read_text())
    job["generation"] = {ARGUMENTS.get(key, key): value for key, value in job["generation"].items()}
    torch.manual_seed(job["seed"])
    ranks = Ranks(job)
    pipeline = XditPipeline(job, ranks) if job["runtime"] == "xdit" else DiffusersPipeline(job, ranks)
    ranks.synchronise()
    drawn = ranks.all_of(pipeline.drawn)
    ranks.tell(folder, {"event": "ready", "at_ns": now(), "devices": ranks.size, "stand_in": drawn})
    number = 0
    while batch_size := next_point(folder, number):
        generate(pipeline, ranks, folder, number, batch_size)
        number += 1
    ranks.leave()


def next_point(folder: Path, number: int) -> int:
    """Wait for the next point; returns its batch size, or 0 to end. Nothing runs on a GPU meanwhile."""
    order = folder / f"point-{number}.json"
    while not order.exists():
        if (folder / "leave").exists():
            return 0
        time.sleep(POLL_SECONDS)
    return int(json.loads(order.read_text())["batch_size"])


def generate(pipeline: DiffusersPipeline, ranks: Ranks, folder: Path, number: int, batch_size: int) -> None:
    """Generate batches of one size until told to stop; all ranks generate the same batches."""
    ranks.forget_peak()
    index, stopped, output = 0, False, None
    while not stopped:
        begin = ranks.synchronise()
        output = pipeline(batch_size, index)
        end = ranks.synchronise()
        pipeline.require_as_asked(output)
        batch = {"point": number, "index": index, "begin_ns": begin, "end_ns": end, "items": batch_size}
        ranks.tell(folder, {"event": "batch", **batch})
        stopped = ranks.agree((folder / f"point-{number}.stop").exists())
        index += 1
    peak = ranks.peak_bytes()
    own = save_sample(output, folder / f"sample-{number}.jpg")
    samples = ranks.all_of(None if own is None else own | pipeline.computed())
    ended = {"point": number, "peak_memory_bytes": peak, "sample": samples[0] if samples else None}
    ranks.tell(folder, {"event": "ended", **ended})


class Ranks:
    """The processes that generate one batch together: one per GPU, or a single process."""

    def __init__(self, job: dict[str, Any]) -> None:
        self.index, self.size = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
        self.has_gpu = job["num_gpus"] > 0
        local = int(os.environ.get("LOCAL_RANK", "0"))
        self.device = torch.device("cuda", local) if self.has_gpu else torch.device("cpu")
        if self.has_gpu:
            torch.cuda.set_device(self.device)
        self.group: Any = None

    def meet(self) -> None:
        """After torch.distributed has started: create a group on the CPU, so that waiting uses no GPU."""
        if self.size > 1:
            self.group = torch.distributed.new_group(backend="gloo")

    def synchronise(self) -> int:
        """Wait until all ranks have finished all earlier work; returns the time."""
        if self.has_gpu:
            torch.cuda.synchronize(self.device)
        if self.group is not None:
            torch.distributed.barrier(group=self.group)
        return now()

    def agree(self, value: bool) -> bool:
        """The value of rank 0, on all ranks."""
        return bool(self.all_of(value)[0])

    def all_of(self, value: Any) -> list[Any]:
        """Every rank's value that is not None."""
        if self.group is None:
            return [] if value is None else [value]
        values = [None] * self.size
        torch.distributed.all_gather_object(values, value, group=self.group)
        return [v for v in values if v is not None]

    def forget_peak(self) -> None:
        """Start counting the peak of the memory that torch allocates."""
        if self.has_gpu:
            torch.cuda.reset_peak_memory_stats(self.device)

    def peak_bytes(self) -> list[int]:
        """Peak of the memory that torch allocated, per GPU."""
        return self.all_of(torch.cuda.max_memory_allocated(self.device)) if self.has_gpu else []

    def tell(self, folder: Path, event: dict[str, Any]) -> None:
        """Write an event; only rank 0 does."""
        if self.index == 0:
            tell(folder, event)

    def leave(self) -> None:
        """Leave the group of all ranks."""
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


class DiffusersPipeline:
    """The pipeline as diffusers has it, on the CPU or on one GPU."""

    def __init__(self, job: dict[str, Any], ranks: Ranks) -> None:
        self.job, self.ranks = job, ranks
        self.drawn: dict[str, Any] | None = None
        self.pipe = self.wrap(self.build()).to(ranks.device)
        plain = getattr(self.pipe, "module", self.pipe)
        plain.set_progress_bar_config(disable=True)
        if job["pipeline"]["vae_tiling"]:
            plain.vae.enable_tiling()
        self.arguments = self.call_arguments(plain)
        self.decoded = watch_decoder(plain)

    def build(self) -> Any:
        """The pipeline with real weights from a source, or with others from its configuration."""
        import diffusers

        facts, dtype = self.job["pipeline"], getattr(torch, self.job["dtype"])
        kind = getattr(diffusers, facts["class_name"])
        if self.job["source"] is None:
            parts = {name: self.part(part, dtype) for name, part in facts["components"].items()} | facts[
                "options"
            ]
            if self.job.get("weights") == STAND_IN:
                self.drawn = importlib.import_module("jouleboard_stand_in.pipelines").fill_pipeline(parts)
            return kind(**parts, **dict.fromkeys(optional_parts(kind, parts)))
        return kind.from_pretrained(self.job["source"], torch_dtype=dtype, revision=self.job["revision"])

    def part(self, facts: dict[str, Any], dtype: torch.dtype) -> Any:
        """One component from its configuration, created on the device where it will run."""
        name, config = facts["class_name"], facts["config"]
        if name == "Tokenizer":
            return tokenizer(**config)
        kind = self.class_of(name)
        if not issubclass(kind, torch.nn.Module):
            return kind.from_config(config)  # a scheduler: its tables belong to the CPU
        with default_dtype(dtype), self.ranks.device:
            if hasattr(kind, "config_class") and kind.config_class is not None:
                return kind(kind.config_class(**config)).eval()
            return kind.from_config(config).eval()

    def class_of(self, name: str) -> Any:
        """A class of diffusers, or else of transformers."""
        import diffusers
        import transformers

        return getattr(diffusers, name, None) or getattr(transformers, name)

    def wrap(self, pipe: Any) -> Any:
        """The pipeline in the form in which it is called."""
        return pipe

    def call_arguments(self, plain: Any) -> dict[str, Any]:
        """The arguments of every call: those of the job that this pipeline knows.

        Some pipelines compute at a size that they were trained on (PixArt, SANA, Hunyuan-DiT), and may scale
        the picture to the size asked for. They are told not to: energy is that of the configuration's size.
        """
        known = inspect.signature(type(plain).__call__).parameters
        exactly = {"use_resolution_binning": False} if "use_resolution_binning" in known else {}
        wanted = {**self.job["generation"], **exactly, **self.job["pipeline"]["call"]}
        unknown = [name for name, value in wanted.items() if name not in known and value is not None]
        if unknown:
            raise TypeError(f"{type(plain).__name__} does not take {', '.join(unknown)}")
        return {name: value for name, value in wanted.items() if value is not None}

    def __call__(self, batch_size: int, index: int) -> Any:
        """Generate one batch; returns its first image or video, or None if another rank has it."""
        prompts = self.job["prompts"]
        chosen = [prompts[(index * batch_size + i) % len(prompts)] for i in range(batch_size)]
        generator = torch.Generator(self.ranks.device).manual_seed(self.job["seed"] + index)
        output = self.pipe(prompt=chosen, generator=generator, **self.arguments)
        items = getattr(output, "images", None) if output is not None else None
        items = getattr(output, "frames", None) if items is None else items
        return None if items is None or len(items) == 0 else items[0]

    def computed(self) -> dict[str, int]:
        """Width and height in pixels of the latent picture that was decoded last; nothing if none was."""
        return {name: size for last in self.decoded for name, size in zip(COMPUTED, last, strict=True)}

    def require_as_asked(self, item: Any) -> None:
        """A pipeline that computes or returns another size, or other frames, is not the configuration's.

        Raises:
            NotAsAsked
        """
        asked, frames = self.job["generation"], [] if item is None else frames_of(item)
        size = (asked["width"], asked["height"])
        for what, found in (("computes", self.decoded), ("returns", [size_of(each) for each in frames[:1]])):
            if found and found[0] != size:
                raise NotAsAsked(
                    f"the pipeline {what} {in_pixels(found[0])} where {in_pixels(size)} was asked for"
                )
        wanted = asked.get("num_frames")
        if wanted is not None and frames and len(frames) != wanted:
            raise NotAsAsked(f"the pipeline returns {len(frames)} frames where {wanted} were asked for")


class NotAsAsked(Exception):
    """What was generated is not what the configuration says."""


class XditPipeline(DiffusersPipeline):
    """The pipeline under xfuser, its transformer shared by the ranks. One rank runs the plain model."""

    def __init__(self, job: dict[str, Any], ranks: Ranks) -> None:
        import xfuser

        degrees = job["parallel"]
        arguments = xfuser.xFuserArgs(
            model=job["pipeline"]["class_name"],
            ulysses_degree=degrees["ulysses_degree"],
            ring_degree=degrees["ring_degree"],
            use_cfg_parallel=degrees["cfg_parallel"] > 1,
            seed=job["seed"],
            prompt=["one"],
            use_torch_compile=False,
            **{name: value for name, value in job["generation"].items() if value is not None},
        )
        self.engine, _ = arguments.create_config()
        self.engine.runtime_config.dtype = getattr(torch, job["dtype"])
        ranks.meet()
        super().__init__(job, ranks)

    def class_of(self, name: str) -> Any:
        """The transformer of xfuser where it has one of its own."""
        module, wrapper = WITH_XFUSER_TRANSFORMER.get(self.job["pipeline"]["class_name"], ("", ""))
        if module and name == self.job["pipeline"]["components"]["transformer"]["class_name"]:
            return getattr(
                importlib.import_module(f"xfuser.model_executor.models.transformers.{module}"), wrapper
            )
        return super().class_of(name)

    def build(self) -> Any:
        """The pipeline; real weights go into the transformer of xfuser where it has one."""
        module, _ = WITH_XFUSER_TRANSFORMER.get(self.job["pipeline"]["class_name"], ("", ""))
        if not module or self.job["source"] is None:
            return super().build()
        import diffusers

        dtype, name = getattr(torch, self.job["dtype"]), self.job["pipeline"]["class_name"]
        where = {"torch_dtype": dtype, "revision": self.job["revision"]}
        kind = self.class_of(self.job["pipeline"]["components"]["transformer"]["class_name"])
        transformer = kind.from_pretrained(self.job["source"], subfolder="transformer", **where)
        return getattr(diffusers, name).from_pretrained(self.job["source"], transformer=transformer, **where)

    def wrap(self, pipe: Any) -> Any:
        """The pipeline under the engine of xfuser."""
        if self.job["pipeline"]["class_name"] in WITH_XFUSER_TRANSFORMER:
            from xfuser.core.distributed import initialize_runtime_state

            initialize_runtime_state(pipe, self.engine)
            return pipe
        from xfuser.model_executor.pipelines.register import xFuserPipelineWrapperRegister

        return xFuserPipelineWrapperRegister.get_class(pipe)(pipe, self.engine)


def watch_decoder(plain: Any) -> list[tuple[int, int]]:
    """A list that holds width and height in pixels of the latent picture that was decoded last."""
    scale = getattr(plain, "vae_scale_factor_spatial", None) or plain.vae_scale_factor
    decode = plain.vae.decode
    last: list[tuple[int, int]] = []

    def watched(latents: Any, *arguments: Any, **options: Any) -> Any:
        *_, height, width = latents.shape
        last[:] = [(width * scale, height * scale)]
        return decode(latents, *arguments, **options)

    plain.vae.decode = watched
    return last


def frames_of(item: Any) -> list[Any]:
    """The frames of a video; an image is one."""
    from PIL import Image

    return [item] if isinstance(item, Image.Image) else list(item)


def size_of(frame: Any) -> tuple[int, int]:
    """Width and height of a frame, as PIL or as numpy has it."""
    from PIL import Image

    return frame.size if isinstance(frame, Image.Image) else (frame.shape[1], frame.shape[0])


def in_pixels(size: tuple[int, int]) -> str:
    """Width and height for people."""
    return f"{size[0]}x{size[1]}"


def optional_parts(kind: Any, given: dict[str, Any]) -> list[str]:
    """Components that the constructor asks for and may be None (safety checkers, image encoders)."""
    needed = inspect.signature(kind.__init__).parameters.values()
    return [p.name for p in needed if p.name not in {"self", *given} and p.default is p.empty]


def tokenizer(maximum_tokens: int, vocabulary: int) -> Any:
    """A new byte-level tokenizer: with random weights the meaning of a prompt does not matter."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    special = ["<pad>", "<s>", "</s>", "<unk>"]
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    if vocabulary < len(special) + len(letters):
        raise ValueError(f"a vocabulary of {vocabulary} is too small for bytes")
    tokenizer = Tokenizer(models.BPE({token: i for i, token in enumerate(special + letters)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    names = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_max_length=maximum_tokens, padding_side="right", **names
    )


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    """Modules that are created inside have this number format."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def save_sample(item: Any, path: Path) -> dict[str, Any] | None:
    """Write a small JPEG of an image, or of frames of a video; returns the fields of `results.schema.Sample`.

    None if this rank has no item.
    """
    if item is None:
        return None
    from PIL import ImageStat

    image = picture(item)
    spread = sum(ImageStat.Stat(image).stddev) / 3
    facts = {
        "pixel_spread": spread,
        "non_finite_share": non_finite_share(item),
        "frames": len(frames_of(item)),
    }
    for pixels in (SAMPLE_PIXELS, 512, 384, 256, 128):
        for quality in (85, 60, 35):
            small = image.copy()
            small.thumbnail((pixels, pixels))
            buffer = io.BytesIO()
            small.save(buffer, "JPEG", quality=quality)
            if buffer.tell() <= SAMPLE_BYTES:
                aside = path.with_suffix(f".{os.getpid()}")
                aside.write_bytes(buffer.getvalue())
                aside.replace(path)
                return facts
    return facts


def picture(item: Any) -> Any:
    """A PIL image of an image, or a sheet of a video's frames, evenly chosen."""
    from PIL import Image

    frames = [frame if isinstance(frame, Image.Image) else from_array(frame) for frame in frames_of(item)]
    frames = [frame.convert("RGB") for frame in frames]
    if len(frames) == 1:
        return frames[0]
    count = SHEET * SHEET
    chosen = [frames[i * (len(frames) - 1) // (count - 1)] for i in range(count)]
    width, height = chosen[0].size
    sheet = Image.new("RGB", (SHEET * width, SHEET * height))
    for i, frame in enumerate(chosen):
        sheet.paste(frame, (i % SHEET * width, i // SHEET * height))
    return sheet


def non_finite_share(item: Any) -> float | None:
    """Share of NaN and infinite values of a video; None for images, whose pixels are integers already."""
    import numpy
    from PIL import Image

    if isinstance(item, Image.Image) or isinstance(item[0], Image.Image):
        return None
    return float((~numpy.isfinite(numpy.asarray(item))).mean())


def from_array(frame: Any) -> Any:
    """A frame as diffusers gives it: height x width x 3, from 0 to 1."""
    import numpy
    from PIL import Image

    values = numpy.nan_to_num(numpy.asarray(frame, dtype=numpy.float32))
    return Image.fromarray((values.clip(0, 1) * 255).round().astype(numpy.uint8))


def tell(folder: Path, event: dict[str, Any]) -> None:
    """Append an event to events.jsonl."""
    with (folder / "events.jsonl").open("a") as file:
        file.write(json.dumps(event) + "\n")


def tell_failure(folder: Path, error: Exception) -> None:
    """Write the event of a failure. Any rank may do so: the others fail or hang because of it."""
    lines = traceback.format_exception(error)
    full = isinstance(error, (torch.OutOfMemoryError, MemoryError)) or "can't allocate memory" in str(error)
    last = "".join(lines).strip().splitlines()
    reason = f"{type(error).__name__}: {error}".splitlines()[0]
    tell(folder, {"event": "failed", "reason": reason, "out_of_memory": full, "traceback": last[-20:]})


def now() -> int:
    """Nanoseconds of CLOCK_MONOTONIC."""
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


if __name__ == "__main__":
    where = Path(sys.argv[1])
    try:
        main(where)
    except Exception as error:
        tell_failure(where, error)
        raise
