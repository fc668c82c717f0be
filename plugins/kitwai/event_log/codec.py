"""Decompresses the file of an event log piece by piece, with any codec that Spark writes.

The first bytes tell the codec, not the name. The codecs are gzip, zstandard (several frames too),
the framings of lz4-java and snappy-java (Spark's ``lz4`` and ``snappy``), and plain text. A piece
is at most `PIECE_BYTES` long, and the block of a framing at most `MAX_BLOCK_BYTES`. So no file can
ask for more memory. A stream that is cut off just ends: the driver may have died, or still writes.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import IO

import cramjam
import zstandard

from kitwai.errors import InvalidInputError

PIECE_BYTES = 2**20
MAX_BLOCK_BYTES = 64 * 2**20

_LZ4_JAVA = b"LZ4Block"
_LZ4_HEADER = struct.Struct("<BiiI")
_SNAPPY_JAVA = b"\x82SNAPPY\x00"
_SNAPPY_HEADER = struct.Struct(">ii")
_SNAPPY_LENGTH = struct.Struct(">i")
_NOT_READ = {
    b"ZV": "LZF",
    b"\x04\x22\x4d\x18": "the frames of the command lz4",
    b"\xff\x06\x00\x00sNaPpY": "the frames of the command snzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"PK\x03\x04": "zip",
}


def decompressed(file: IO[bytes]) -> Iterator[bytes]:
    """The decompressed pieces of the file, from its start on.

    :raises InvalidInputError: a codec that is not read, or damaged data.
    :raises OSError: the file cannot be read.
    """
    head = file.read(len(_SNAPPY_JAVA) + 2)
    file.seek(0)
    for magic, name in _NOT_READ.items():
        if head.startswith(magic):
            raise InvalidInputError(f"it is compressed by {name}, which is not read")
    try:
        yield from _pieces_of(head)(file)
    except EOFError:
        return
    except (zlib.error, gzip.BadGzipFile, zstandard.ZstdError, cramjam.DecompressionError) as error:
        raise InvalidInputError(f"its compressed data are damaged ({error})") from error


def _pieces_of(head: bytes) -> Callable[[IO[bytes]], Iterator[bytes]]:
    if head.startswith(b"\x1f\x8b"):
        return _gzip
    # A zstandard file may begin with a frame that is skipped: 0x184D2A50 to 0x184D2A5F.
    if head.startswith(b"\x28\xb5\x2f\xfd") or (head[1:4] == b"\x2a\x4d\x18" and head[0] >> 4 == 5):
        return _zstandard
    if head.startswith(_LZ4_JAVA):
        return _lz4_java
    if head.startswith(_SNAPPY_JAVA):
        return _snappy_java
    return _plain


def _plain(file: IO[bytes]) -> Iterator[bytes]:
    while piece := file.read(PIECE_BYTES):
        yield piece


def _gzip(file: IO[bytes]) -> Iterator[bytes]:
    with gzip.GzipFile(fileobj=file, mode="rb") as stream:
        yield from _plain(stream)  # type: ignore[arg-type]


def _zstandard(file: IO[bytes]) -> Iterator[bytes]:
    with zstandard.ZstdDecompressor().stream_reader(
        file, read_across_frames=True, closefd=False
    ) as stream:
        yield from _plain(stream)


def _lz4_java(file: IO[bytes]) -> Iterator[bytes]:
    """net.jpountz.lz4.LZ4BlockOutputStream: magic, token, lengths and checksum before each block.

    The checksum (xxHash) is not verified: damage shows as a line that is no event.
    """
    while magic := _exactly(file, len(_LZ4_JAVA), may_end=True):
        if magic != _LZ4_JAVA:
            raise InvalidInputError(
                "its compressed data are damaged (no LZ4 block where one must be)"
            )
        token, packed, length, _ = _LZ4_HEADER.unpack(_exactly(file, _LZ4_HEADER.size))
        _check_block(packed)
        _check_block(length)
        data = _exactly(file, packed)
        if length == 0:
            continue  # the end of a stream; another stream may follow
        if token & 0xF0 == 0x10:
            yield data
        else:
            yield bytes(cramjam.lz4.decompress_block(data, output_len=length))


def _snappy_java(file: IO[bytes]) -> Iterator[bytes]:
    """org.xerial.snappy.SnappyOutputStream: a header, then the length of each block before it."""
    while start := _exactly(file, _SNAPPY_LENGTH.size, may_end=True):
        if _SNAPPY_JAVA.startswith(start):
            _exactly(file, len(_SNAPPY_JAVA) - len(start) + _SNAPPY_HEADER.size)
            continue
        (packed,) = _SNAPPY_LENGTH.unpack(start)
        _check_block(packed)
        data = _exactly(file, packed)
        _check_block(cramjam.snappy.decompress_raw_len(data))
        yield bytes(cramjam.snappy.decompress_raw(data))


def _check_block(length: int) -> None:
    if not 0 <= length <= MAX_BLOCK_BYTES:
        raise InvalidInputError(
            f"its compressed data are damaged (a block of {length} bytes, "
            f"which are not 0..{MAX_BLOCK_BYTES})"
        )


def _exactly(file: IO[bytes], count: int, *, may_end: bool = False) -> bytes:
    """``count`` bytes of the file; none if the file ends here and ``may_end``.

    :raises EOFError: the file ends before.
    """
    parts = []
    left = count
    while left and (part := file.read(left)):
        parts.append(part)
        left -= len(part)
    if left and not (may_end and left == count):
        raise EOFError
    return b"".join(parts)
