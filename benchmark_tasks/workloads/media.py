"""Generated pictures, clips and recordings: no two requests have the same item.

The slow part is computed once: *shapes* (the compressed pixels of a picture, the samples of a recording).
The part that differs per request is fast: a picture's palette, which changes every pixel of it, and a
recording's first samples. Both are at the beginning of the file and fill a whole number of the
three-byte groups of base64. So an item is two encoded pieces joined together, which takes microseconds.

Pictures are PNG (lossless: the pixels do not depend on the decoder), clips are sequences of stills in the
form that vLLM takes as `video/jpeg` (it recognises a still by its content), recordings are WAV. None needs a
codec that a host may not have. All arithmetic is in integers, so that the pixels are the same on every host.
"""

from __future__ import annotations

import struct
import zlib
from binascii import b2a_base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import assert_never

import numpy as np

from benchmark_tasks.catalog import SyntheticMedia
from benchmark_tasks.vocabulary import MediaKind

POOL = {MediaKind.IMAGE: 16, MediaKind.VIDEO: 4, MediaKind.AUDIO: 8}
"""Number of shapes of each kind; the index of a request decides which it gets."""

RECIPE = 1
"""Version of the method that makes items from parameters; part of a request set's id."""

_SEED = 20_261
_GRID = 16
"""Pixels between the random values between which a picture is interpolated: a power of two."""
_COLOURS = 64
_ANCHORS = 9
_OWN_SAMPLES = 8
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Shape:
    """An item without the part that differs per request.

    kind: decides the data URL. size: width and height, pixels; sample rate and number of samples.
    tails: base64 of everything after the beginning, one per still.
    """

    kind: MediaKind
    size: tuple[int, int]
    tails: tuple[bytes, ...]

    def data_url(self, rng: np.random.Generator) -> bytes:
        """The complete item as a data URL; the values of `rng` make it different from all others."""
        match self.kind:
            case MediaKind.IMAGE:
                return b"data:image/png;base64," + self._still(rng)
            case MediaKind.VIDEO:
                return b"data:video/jpeg;base64," + self._still(rng)
            case MediaKind.AUDIO:
                own = rng.integers(-4000, 4000, _OWN_SAMPLES).astype("<i2").tobytes()
                return b"data:audio/wav;base64," + _base64(_wav_header(*self.size) + own) + self.tails[0]
            case _:
                assert_never(self.kind)

    def _still(self, rng: np.random.Generator) -> bytes:
        head = _base64(_png_head(*self.size, _palette(rng)))
        return b",".join([head + tail for tail in self.tails])


def shapes_of(media: SyntheticMedia) -> tuple[Shape, ...]:
    """The pool for a kind and size of item; the same on every machine. Takes at most a second."""
    rng = np.random.default_rng(_SEED)
    return tuple(_shape(media, i, rng) for i in range(POOL[media.kind]))


def _shape(media: SyntheticMedia, index: int, rng: np.random.Generator) -> Shape:
    match media.kind:
        case MediaKind.AUDIO:
            assert media.seconds is not None  # recordings have it
            samples = round(media.seconds * media.samples_per_second)
            return Shape(media.kind, (media.samples_per_second, samples), (_recording(samples, rng),))
        case MediaKind.IMAGE | MediaKind.VIDEO:
            width, height = media.sizes[index % len(media.sizes)]
            stills = _moving(width, height, media.frames, rng)
            return Shape(media.kind, (width, height), tuple(_base64(_png_tail(still)) for still in stills))
        case _:
            assert_never(media.kind)


def _moving(width: int, height: int, frames: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Stills of a camera that moves over one landscape, two pixels per frame."""
    landscape = _landscape(width + 2 * frames, height, rng)
    for frame in range(frames):
        yield landscape[:, 2 * frame : 2 * frame + width]


def _landscape(width: int, height: int, rng: np.random.Generator) -> np.ndarray:
    """Palette indices (uint8), interpolated between random values on a coarse grid."""
    grid = rng.integers(0, _COLOURS, (height // _GRID + 2, width // _GRID + 2), dtype=np.int32)
    tall = _between(grid, height)
    return _between(tall.T, width).T.astype(np.uint8)


def _between(values: np.ndarray, length: int) -> np.ndarray:
    """Linear interpolation along the first axis, in integers."""
    place, share = np.divmod(np.arange(length), _GRID)
    share = share.reshape(-1, 1).astype(np.int32)
    between: np.ndarray = (values[place] * (_GRID - share) + values[place + 1] * share) // _GRID
    return between


def _palette(rng: np.random.Generator) -> bytes:
    """The colours, interpolated between a few random ones."""
    anchors = rng.integers(0, 256, (_ANCHORS, 3), dtype=np.int32)
    step = (_COLOURS - 1) // (_ANCHORS - 1) + 1
    place, share = np.divmod(np.arange(_COLOURS), step)
    share = share.reshape(-1, 1)
    colours: np.ndarray = (anchors[place] * (step - share) + anchors[place + 1] * share) // step
    return colours.astype(np.uint8).tobytes()


def _png_head(width: int, height: int, palette: bytes) -> bytes:
    """Signature, header and palette of a palette picture: 237 bytes, a multiple of three."""
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    return _PNG_SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"PLTE", palette)


def _png_tail(indices: np.ndarray) -> bytes:
    """The compressed pixels and the end; each row is stored as its difference to the row above."""
    up = np.diff(indices, axis=0, prepend=np.zeros((1, indices.shape[1]), np.uint8))
    rows = np.concatenate([np.full((len(up), 1), 2, np.uint8), up], axis=1)
    return _chunk(b"IDAT", zlib.compress(rows.tobytes(), 6)) + _chunk(b"IEND", b"")


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def _recording(samples: int, rng: np.random.Generator) -> bytes:
    """Base64 of all 16-bit samples except the first ones: noise, as loud as speech."""
    rest = rng.integers(-4000, 4000, samples - _OWN_SAMPLES).astype("<i2")
    return _base64(rest.tobytes())


def _wav_header(samples_per_second: int, samples: int) -> bytes:
    """44 bytes for 16-bit mono; with the first eight samples they are a multiple of three."""
    size = 2 * samples
    head = b"RIFF" + struct.pack("<I", 36 + size) + b"WAVEfmt "
    form = struct.pack("<IHHIIHH", 16, 1, 1, samples_per_second, 2 * samples_per_second, 2, 16)
    return head + form + b"data" + struct.pack("<I", size)


def _base64(data: bytes) -> bytes:
    return b2a_base64(data, newline=False)
