"""Questions about pictures, clips and recordings: made on the spot, and from local copies of real sets."""

from __future__ import annotations

import base64
import io
import json
import pickle
import struct
import wave
import zlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmark_tasks import catalog
from benchmark_tasks.catalog import LengthDistribution, SyntheticMedia
from benchmark_tasks.errors import CatalogError, RequestSetError
from benchmark_tasks.plan.sweep import Sweep
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.quick import quick_sweep
from benchmark_tasks.vocabulary import LengthControl, MediaKind, Task, Weights
from benchmark_tasks.workloads.catalog_sets import request_set_for
from benchmark_tasks.workloads.chat import DataSetChat, SyntheticChat
from benchmark_tasks.workloads.media import shapes_of
from benchmark_tasks.workloads.requests import RequestSet
from benchmark_tasks.workloads.set_names import name_of
from benchmark_tasks.workloads.stationary import UnderWay

ENTRIES = catalog.load()
MODELS = {
    Task.IMAGE_CHAT: "Qwen/Qwen3-VL-8B-Instruct",
    Task.VIDEO_CHAT: "Qwen/Qwen3-VL-8B-Instruct",
    Task.AUDIO_CHAT: "Qwen/Qwen3-Omni-30B-A3B-Instruct",
}
SMALL = {
    MediaKind.IMAGE: SyntheticMedia(kind=MediaKind.IMAGE, sizes=((64, 32), (40, 56)), source="test"),
    MediaKind.VIDEO: SyntheticMedia(kind=MediaKind.VIDEO, sizes=((64, 32),), frames=3, source="test"),
    MediaKind.AUDIO: SyntheticMedia(kind=MediaKind.AUDIO, seconds=0.5, source="test"),
}
PNG = base64.b64encode(b"\x89PNG not looked at here")


def sweep(task: Task, request_set: str = "synthetic", **changes: object) -> Sweep:
    asked = {"task": task, "request_set": request_set, "model_id": MODELS[task], "weights": Weights.REAL}
    return quick_sweep(2, **(asked | changes))


def lengths(tokens: int) -> LengthDistribution:
    return LengthDistribution(
        median_tokens=tokens, sigma=0.3, minimum_tokens=1, maximum_tokens=4 * tokens, source="test"
    )


def synthetic(kind: MediaKind, **changes: object) -> SyntheticChat:
    media = SMALL[kind]
    fields = {
        "task": Task(f"{kind}-chat"),
        "input_tokens": lengths(20),
        "output_tokens": lengths(50),
        "length_control": LengthControl.FIXED,
        "media": media,
        "shapes": shapes_of(media),
    }
    return SyntheticChat(**(fields | changes))  # type: ignore[arg-type]


def parts(requests: RequestSet, index: int = 0) -> tuple[dict, str, str]:
    """(body, data URL of the item, question)."""
    body = json.loads(requests.request(index).body)
    item, text = body["messages"][0]["content"]
    return body, item[item["type"]]["url"], text["text"]


def pixels(encoded: str) -> np.ndarray:
    """A palette PNG as height x width x 3, read by the format's rules: checksums, rows filtered `Up`."""
    data = base64.b64decode(encoded, validate=True)
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = {}, 8
    while at < len(data):
        (size,) = struct.unpack(">I", data[at : at + 4])
        name, content = data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
        assert struct.unpack(">I", data[at + 8 + size : at + 12 + size])[0] == zlib.crc32(name + content)
        chunks[name], at = content, at + 12 + size
    width, height, depth, colour, *_ = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert (depth, colour, list(chunks)[-1]) == (8, 3, b"IEND")
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, width + 1)
    assert (rows[:, 0] == 2).all()
    return np.frombuffer(chunks[b"PLTE"], np.uint8).reshape(-1, 3)[np.cumsum(rows[:, 1:], 0, np.uint8)]


def test_a_picture_has_the_sizes_asked_for_and_is_never_the_same_twice() -> None:
    requests = synthetic(MediaKind.IMAGE)
    urls = [parts(requests, i)[1] for i in range(40)]
    images = [pixels(url.removeprefix("data:image/png;base64,")) for url in urls]
    assert {image.shape for image in images} == {(32, 64, 3), (56, 40, 3)}
    assert len({image.tobytes() for image in images}) == 40
    same_shape = images[0], images[16]  # the pool came round: other colours nearly everywhere
    assert (same_shape[0] != same_shape[1]).any(axis=2).mean() > 0.9


def test_a_clip_is_a_row_of_moving_stills_no_two_clips_alike() -> None:
    requests = synthetic(MediaKind.VIDEO)
    seen = []
    for index in (0, 4):
        body, url, _ = parts(requests, index)
        stills = [pixels(s) for s in url.removeprefix("data:video/jpeg;base64,").split(",")]
        assert body["messages"][0]["content"][0]["type"] == "video_url"
        assert len(stills) == 3 and (stills[0][:, 2:] == stills[1][:, :-2]).all()  # it pans
        seen.append(np.stack(stills))
    assert (seen[0] != seen[1]).any(axis=3).mean() > 0.9


def test_a_recording_is_as_long_as_it_should_be_and_its_own() -> None:
    requests = synthetic(MediaKind.AUDIO)
    recordings = []
    for index in (0, 8):
        encoded = parts(requests, index)[1].removeprefix("data:audio/wav;base64,")
        with wave.open(io.BytesIO(base64.b64decode(encoded, validate=True))) as file:
            assert (file.getframerate(), file.getnchannels(), file.getnframes()) == (16_000, 1, 8_000)
            recordings.append(file.readframes(8_000))
    assert len(recordings[0]) == 16_000 and recordings[0] != recordings[1]


@pytest.mark.parametrize("kind", list(MediaKind))
def test_requests_are_the_same_in_every_process(kind: MediaKind) -> None:
    requests, again = synthetic(kind), pickle.loads(pickle.dumps(synthetic(kind)))
    assert [requests.request(i) for i in range(5)] == [again.request(i) for i in range(5)]
    assert requests.request_set_id == again.request_set_id


def test_every_parameter_is_in_the_id() -> None:
    ours = synthetic(MediaKind.IMAGE)
    other = SyntheticMedia(kind=MediaKind.IMAGE, sizes=((64, 32),), source="test")
    changes = {"seed": 1, "media": other, "output_tokens": lengths(51), "input_tokens": lengths(21)}
    ids = {synthetic(MediaKind.IMAGE, **{name: value}).request_set_id for name, value in changes.items()}
    ids.add(synthetic(MediaKind.IMAGE, length_control=LengthControl.NATURAL).request_set_id)
    assert len(ids | {ours.request_set_id}) == 6
    assert ours.served_as("other").request_set_id == ours.request_set_id


def test_an_answer_under_way_leaves_what_it_has_written_in_the_question() -> None:
    requests = synthetic(MediaKind.IMAGE)
    fresh, under_way = requests.request(3), requests.request(3, UnderWay(length=90, written=60))
    question = [json.loads(r.body)["messages"][0]["content"][1]["text"] for r in (fresh, under_way)]
    assert question[1] == question[0] + " the" * 60
    assert under_way.max_tokens == 30 and json.loads(under_way.body)["ignore_eos"]


def test_warm_up_shows_other_pictures_and_answers_shortly() -> None:
    requests = synthetic(MediaKind.IMAGE)
    warm = requests.warm_up(7)
    assert {warm.request(i).max_tokens for i in range(5)} == {7}
    assert not {parts(warm, i)[1] for i in range(20)} & {parts(requests, i)[1] for i in range(20)}


@pytest.mark.parametrize("task", [Task.IMAGE_CHAT, Task.VIDEO_CHAT, Task.AUDIO_CHAT])
def test_the_catalog_has_a_synthetic_set_for_each_task(task: Task) -> None:
    made = request_set_for(sweep(task), ENTRIES.model(MODELS[task]), ENTRIES.tasks[task])
    body, url, text = parts(made)
    assert made.path == "/v1/chat/completions" and made.request_set_id.startswith(f"synthetic-{task}-")
    assert url.startswith("data:") and 8 <= len(text.split()) <= 2048
    assert body["max_completion_tokens"] == made.request(0).max_tokens <= 4096


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A machine with local copies of all three real sets."""
    folder = tmp_path / "data"
    rows = [
        {"conversation": [[{"role": "user", "content": f"What is in picture {i}?"}], [{"content": "x"}]],
         "images": [{"bytes": b"picture %d" % i, "path": f"{i}.jpg"}]}
        for i in range(9)
    ]  # fmt: skip
    (folder / "vision-arena").mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows), folder / "vision-arena" / "rows.parquet")
    for name, column, ending in (("llava-video", "video", "mp4"), ("audio-skills", "sound", "wav")):
        media = folder / name / "media" / "part"
        media.mkdir(parents=True)
        lines = []
        for i in range(5):
            (media / f"{i}.{ending}").write_bytes(b"%s %d" % (column.encode(), i))
            said = [{"from": "human", "value": f"<{column}>\nWhat happens in {i}?"}]
            lines.append(json.dumps({"conversations": said, column: f"part/{i}.{ending}"}))
        (folder / name / "rows.jsonl").write_text("\n".join(lines))
    return Settings(home=tmp_path / "home", data_sets=folder)


def real(task: Task, name: str, settings: Settings, **changes: object) -> DataSetChat:
    wanted = sweep(task, name, length_control=LengthControl.NATURAL, **changes)
    made = request_set_for(wanted, ENTRIES.model(MODELS[task]), ENTRIES.tasks[task], settings)
    assert isinstance(made, DataSetChat)
    return made


@pytest.mark.parametrize(
    ("task", "name", "rows", "item"),
    [
        (Task.IMAGE_CHAT, "vision-arena", 9, b"picture %d"),
        (Task.VIDEO_CHAT, "llava-video", 5, b"video %d"),
        (Task.AUDIO_CHAT, "audio-skills", 5, b"sound %d"),
    ],
)
def test_a_real_question_is_asked_about_its_own_item(
    settings: Settings, task: Task, name: str, rows: int, item: bytes
) -> None:
    requests = real(task, name, settings)
    asked = [parts(requests, i) for i in range(2 * rows)]
    for body, url, text in asked[:rows]:
        number = int("".join(filter(str.isdigit, text)))
        assert base64.b64decode(url.split(",")[1]) == item % number
        assert text.startswith("What ") and not body["ignore_eos"]  # no trace of the authors' placeholder
    questions = [text for _, _, text in asked]
    assert len(set(questions)) == 2 * rows  # the second round has marks of its own
    assert name_of(requests.request_set_id) == name


def test_other_pictures_are_another_request_set(settings: Settings, tmp_path: Path) -> None:
    note = settings.data_sets / "llava-video" / "REVISION"
    note.write_text("0" * 40)
    before = real(Task.VIDEO_CHAT, "llava-video", settings).request_set_id
    (settings.data_sets / "llava-video" / "media" / "part" / "0.mp4").write_bytes(b"another clip")
    assert real(Task.VIDEO_CHAT, "llava-video", settings).request_set_id != before


@pytest.mark.parametrize(
    ("video", "message"),
    [
        ("../../../secret", "leads out of"),
        ("part/missing.mp4", "missing.mp4: No such file"),
        (7, "is not of the form video"),
    ],
)
def test_a_row_that_names_no_file_of_the_set_is_refused(
    settings: Settings, video: object, message: str
) -> None:
    row = {"conversations": [{"value": "What?"}], "video": video}
    (settings.data_sets / "llava-video" / "rows.jsonl").write_text(json.dumps(row))
    with pytest.raises(RequestSetError, match=message):
        real(Task.VIDEO_CHAT, "llava-video", settings)


def test_clips_are_not_fetched_from_the_hub_and_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(RequestSetError, match="come in archives; unpack them to"):
        real(Task.VIDEO_CHAT, "llava-video", Settings(home=tmp_path))


def test_a_task_has_no_set_of_another(settings: Settings) -> None:
    with pytest.raises(CatalogError, match="image-chat has no request set 'llava-video'"):
        real(Task.IMAGE_CHAT, "llava-video", settings)
