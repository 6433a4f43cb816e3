"""Questions about pictures, clips and recordings from rows of the real data sets."""

from __future__ import annotations

import re
from binascii import b2a_base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any, assert_never

import numpy as np

from benchmark_tasks.catalog import PromptForm
from benchmark_tasks.errors import RequestSetError
from benchmark_tasks.vocabulary import MediaKind
from benchmark_tasks.workloads.chat import MediaPrompt
from benchmark_tasks.workloads.data_sets import Rows
from benchmark_tasks.workloads.own_prompts import OwnPrompt

_PREFIXES = {
    MediaKind.IMAGE: b"data:image/jpeg;base64,",
    MediaKind.VIDEO: b"data:video/mp4;base64,",
    MediaKind.AUDIO: b"data:audio/wav;base64,",
}
"""As ML.ENERGY sends them; decoders look at the content, not at this."""

_PLACEHOLDER = re.compile(r"<(image|video|sound|audio)>\s*")
"""Place of the item for the authors' own models; servers use the place in the chat template."""


def media_prompts_of(
    name: str, form: PromptForm, data: Rows, seed: int, kept: int, maximum_bytes: int | None
) -> tuple[MediaPrompt, ...]:
    """The first `kept` questions that have text and an item, in an order that the seed decides.

    The file of a clip or recording is sent unchanged: the server chooses the frames, and this is part of what
    is measured.

    Raises:
        RequestSetError: a row does not have the form, or its file is missing.
    """
    prompts: dict[MediaPrompt, None] = {}
    for index in np.random.default_rng(seed).permutation(len(data.rows)):
        if len(prompts) == kept:
            break
        try:
            prompt = _of_row(form, data.rows[index], data.media)
        except (KeyError, IndexError, TypeError) as error:
            raise RequestSetError(
                f"data set {name}: row {index} is not of the form {form}: {error!r}"
            ) from error
        except OSError as error:
            where = f"data set {name}, row {index}"
            raise RequestSetError(f"{where}: {error.filename}: {error.strerror}") from error
        if prompt.text and (maximum_bytes is None or len(prompt.text.encode()) <= maximum_bytes):
            prompts[prompt] = None
    return tuple(prompts)


def media_prompt_of(file: Path, prompt: OwnPrompt, kind: MediaKind) -> MediaPrompt:
    """A prompt of a person's own file with its item, which lies beside the file.

    Raises:
        RequestSetError: the item is missing or empty; names row and field.
    """
    item = prompt.item if isinstance(prompt.item, dict) else {"path": prompt.item}
    try:
        content = item.get("bytes") or _file(file.parent, str(item["path"])).read_bytes()
    except KeyError as error:
        raise RequestSetError(f"{file}: row {prompt.row}: {kind}: neither bytes nor path") from error
    except OSError as error:
        raise RequestSetError(
            f"{file}: row {prompt.row}: {kind}: {error.filename}: {error.strerror}"
        ) from error
    except RequestSetError as error:
        raise RequestSetError(f"{file}: row {prompt.row}: {kind}: {error}") from error
    if not content:
        raise RequestSetError(f"{file}: row {prompt.row}: {kind}: an empty file")
    return MediaPrompt(prompt.turns[0], _PREFIXES[kind] + b2a_base64(content, newline=False))


def _of_row(form: PromptForm, row: Mapping[str, Any], media: Path | None) -> MediaPrompt:
    match form:
        case PromptForm.IMAGE_CONVERSATION:
            text, item = row["conversation"][0][0]["content"], row["images"][0]
        case PromptForm.VIDEO_QUESTION:
            text, item = row["conversations"][0]["value"], {"path": row["video"]}
        case PromptForm.AUDIO_QUESTION:
            text, item = row["conversations"][0]["value"], {"path": row["sound"]}
        case (
            PromptForm.CONVERSATION
            | PromptForm.MULTIPLE_CHOICE
            | PromptForm.FILL_IN_THE_MIDDLE
            | PromptForm.PROMPTS
        ):
            raise TypeError("this form has no item")
        case _:
            assert_never(form)
    content = item.get("bytes") or _file(media, item["path"]).read_bytes()
    url = _PREFIXES[form.media] + b2a_base64(content, newline=False)  # type: ignore[index]
    return MediaPrompt(_PLACEHOLDER.sub("", str(text)).strip(), url)


def _file(media: Path | None, name: str) -> Path:
    """A file that a row names. Rows are not trusted: a path may not lead out of the folder.

    Raises:
        RequestSetError
    """
    if media is None:
        raise RequestSetError(f"{name}: the folder of this file is not known; set JOULEBOARD_DATA_SETS")
    path = (media / name).resolve()
    if not path.is_relative_to(media.resolve()):
        raise RequestSetError(f"{name!r} leads out of {media}; correct the row")
    return path
