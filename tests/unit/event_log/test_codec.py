"""Compressed event logs: every framing that Spark writes, cut, damaged, and hostile."""

from __future__ import annotations

import gzip
import io
import resource
import struct
import subprocess
import sys

import cramjam
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from event_writer import two_jobs, write
from kitwai.errors import InvalidInputError
from kitwai.event_log.codec import MAX_BLOCK_BYTES, decompressed
from kitwai.event_log.folder import read_logs

TEXT = b"".join(b'{"Event":"SparkListener%d"}\n' % number for number in range(9_000))


def blocks(data: bytes, size: int = 32_768) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def lz4_block(block: bytes, *, raw: bool = False) -> bytes:
    packed = block if raw else bytes(cramjam.lz4.compress_block(block, store_size=False))
    method = 0x10 if raw else 0x20
    return b"LZ4Block" + struct.pack("<BiiI", method | 5, len(packed), len(block), 0) + packed


def lz4_java(data: bytes) -> bytes:
    """As lz4-java writes it; the checksum, which is not verified, is 0."""
    end = b"LZ4Block" + struct.pack("<BiiI", 0x15, 0, 0, 0)
    parts = (lz4_block(block, raw=n % 3 == 1) for n, block in enumerate(blocks(data)))
    return b"".join(parts) + end


SNAPPY_HEADER = b"\x82SNAPPY\x00" + struct.pack(">ii", 1, 1)


def snappy_java(data: bytes) -> bytes:
    packed = [bytes(cramjam.snappy.compress_raw(block)) for block in blocks(data)]
    return SNAPPY_HEADER + b"".join(struct.pack(">i", len(one)) + one for one in packed)


def zstd_frames(data: bytes) -> bytes:
    return b"".join(zstandard.compress(block) for block in blocks(data, 100_000))


CODECS = {
    "plain": lambda data: data,
    "gzip": gzip.compress,
    "zstd": zstandard.compress,
    "zstd frames": zstd_frames,
    "zstd, a frame to be skipped first": lambda data: (
        struct.pack("<II", 0x184D2A50, 3) + b"abc" + zstandard.compress(data)
    ),
    "lz4": lz4_java,
    "snappy": snappy_java,
}


def read(data: bytes) -> bytes:
    return b"".join(decompressed(io.BytesIO(data)))


def trouble(data: bytes) -> str:
    """What is wrong with the data, empty where nothing is."""
    try:
        read(data)
    except InvalidInputError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("text", [TEXT, b"{}\n"], ids=["long", "short"])
def test_what_was_compressed_comes_back(codec, text):
    assert read(CODECS[codec](text)) == text


@pytest.mark.parametrize("codec", ["gzip", "zstd", "lz4", "snappy"])
def test_streams_one_after_the_other_are_one(codec):
    assert read(CODECS[codec](TEXT) + CODECS[codec](b"{}\n")) == TEXT + b"{}\n"


@pytest.mark.parametrize("codec", CODECS)
@given(share=st.floats(0.0, 1.0))
@settings(deadline=None, max_examples=20)
def test_a_cut_stream_gives_what_was_there_before_the_cut(codec, share):
    whole = CODECS[codec](TEXT)
    cut = whole[: int(share * len(whole))]
    if codec == "plain" or len(cut) > 16:
        assert TEXT.startswith(read(cut))


@pytest.mark.parametrize("codec", ["gzip", "zstd", "zstd frames", "lz4", "snappy"])
@given(data=st.data())
@settings(deadline=None, max_examples=60)
def test_damage_gives_something_or_one_clear_error(codec, data):
    whole = bytearray(CODECS[codec](TEXT[:50_000]))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    assert trouble(bytes(whole)).isprintable()


@given(data=st.binary(max_size=300))
@settings(deadline=None)
def test_any_bytes_give_something_or_one_clear_error(data):
    for start in (b"", b"LZ4Block", SNAPPY_HEADER, b"\x28\xb5\x2f\xfd", b"\x1f\x8b\x08\x00"):
        assert trouble(start + data).isprintable()


@pytest.mark.parametrize(
    "data",
    [
        b"LZ4Block" + struct.pack("<BiiI", 0x25, 10, 2**31 - 1, 0) + bytes(10),
        b"LZ4Block" + struct.pack("<BiiI", 0x25, 2**31 - 1, 10, 0) + bytes(10),
        b"LZ4Block" + struct.pack("<BiiI", 0x25, -1, 10, 0),
        SNAPPY_HEADER + struct.pack(">i", 5) + b"\xff\xff\xff\xff\x0f",
        SNAPPY_HEADER + struct.pack(">i", MAX_BLOCK_BYTES + 1),
    ],
)
def test_a_block_that_asks_for_much_memory_is_refused(data):
    with pytest.raises(InvalidInputError, match="damaged"):
        read(data)


@pytest.mark.parametrize(
    ("data", "name"), [(b"ZV\x01\x00\x05", "LZF"), (b"\x04\x22\x4d\x18abc", "command lz4")]
)
def test_a_codec_that_is_not_read_is_named(data, name):
    with pytest.raises(InvalidInputError, match=name):
        read(data)


@pytest.mark.parametrize("codec", CODECS)
def test_a_log_reads_the_same_in_every_codec(codec, tmp_path):
    plain = write(tmp_path / "a", *two_jobs())
    (tmp_path / "b").write_bytes(CODECS[codec](plain.read_bytes()))
    first, second = read_logs(tmp_path)
    assert first.profile.stages == second.profile.stages


HEAD = b'{"Event":"%s","Stage ID":0,"x":"'
BOMBS = {
    "zeros": (b"", b"\x00"),
    "blank lines": (b"", b"\n"),
    "an event that nobody wants": (HEAD % b"SparkListenerOther", b"x"),
    "a task": (HEAD % b"SparkListenerTaskEnd", b"x"),
    "deep": (b'{"Event":"SparkListenerTaskEnd","x":', b"["),
    "spaces": (b"", b" "),
}


@pytest.mark.slow
@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_read_in_little_memory(bomb, tmp_path):
    """More than a gigabyte out of some 100 KB: a log of one line without end, or of nothing."""
    begin, more = BOMBS[bomb]
    compressor = zstandard.ZstdCompressor().compressobj()
    piece = more * (2**22 + 1)
    with (tmp_path / "log.zstd").open("wb") as file:
        file.write(compressor.compress(begin))
        for _ in range(12 if bomb == "blank lines" else 300):
            file.write(compressor.compress(piece))
        file.write(compressor.flush())
    command = [sys.executable, "-m", "kitwai.cli.main", "profile", tmp_path / "log.zstd"]
    command += ["--out", tmp_path / "out"]
    limit = 1_000 * 2**20
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=120,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (limit, limit)),
    )
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1), done.stderr
    assert "gives no profile" in done.stderr
