"""Blocks into lines, and files, directories and pipes into one stream."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from padan_server.adapters import feed_sources
from padan_server.adapters.feed_sources import FeedSources, Splitter
from padan_server.domain.feed import LINE_BYTES_MAX, FeedError


def read(*sources: Path, once: bool = True) -> tuple[list[bytes], bool]:
    reading = FeedSources(sources, once=once, stop=threading.Event())
    return [line for block in reading.blocks() for line in block], reading.torn


@given(st.lists(st.binary(max_size=6)), st.integers(1, 9))
def test_however_bytes_are_cut_the_lines_are_the_same(parts: list[bytes], size: int) -> None:
    whole = b"\n".join(parts)
    splitter = Splitter()
    found = []
    for at in range(0, len(whole), size):
        found += splitter.lines(whole[at : at + size])
    assert [*found, splitter.leave()] == whole.split(b"\n")


def test_a_line_that_is_too_long_is_cut_and_those_after_it_are_whole() -> None:
    splitter = Splitter()
    found: list[bytes] = []
    for _ in range(3):
        found += splitter.lines(b"x" * LINE_BYTES_MAX)
        assert len(splitter.rest) <= LINE_BYTES_MAX + 1
    found += splitter.lines(b"y\nz\n")
    assert len(found[0]) > LINE_BYTES_MAX
    assert found[1:] == [b"z"]


def test_sources_are_read_in_their_order_and_files_by_name(tmp_path: Path) -> None:
    directory = tmp_path / "d"
    directory.mkdir()
    (directory / "b.ndjson").write_bytes(b"3\n4\n")
    (directory / "a.jsonl").write_bytes(b"2\n")
    (directory / "c.json").write_bytes(b"no\n")
    (tmp_path / "first").write_bytes(b"1\n")
    assert read(tmp_path / "first", directory) == ([b"1", b"2", b"3", b"4"], False)


def test_only_the_very_last_line_can_still_get_its_rest(tmp_path: Path) -> None:
    for name, content in (("a.ndjson", b"1\ntorn"), ("b.ndjson", b"2\nlast")):
        (tmp_path / name).write_bytes(content)
    assert read(tmp_path) == ([b"1", b"torn", b"2"], True)
    assert read(tmp_path / "b.ndjson", tmp_path / "a.ndjson")[0] == [b"2", b"last", b"1"]


def test_a_pipe_ends_when_its_writer_closes_it(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writing = threading.Thread(target=lambda: pipe.write_bytes(b"1\n2\n3"))
    writing.start()
    assert read(pipe, once=False) == ([b"1", b"2"], True)
    writing.join()


def test_a_file_that_was_cut_is_read_from_its_start(tmp_path: Path) -> None:
    file = tmp_path / "feed.ndjson"
    file.write_bytes(b"1\n2\nbegun")
    stop = threading.Event()
    blocks = FeedSources([file], once=False, stop=stop).blocks()
    assert next(blocks) == [b"1", b"2"]
    file.write_bytes(b"3\n")
    found = next(block for block in blocks if block)
    assert found == [b"3"]
    stop.set()
    assert list(blocks) == []


def test_a_source_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(FeedError, match="cannot be read: FileNotFoundError"):
        read(tmp_path / "nowhere")


def test_what_trickles_through_a_pipe_can_be_applied_as_it_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty block is where what was read is applied: it comes before the wait for more."""
    monkeypatch.setattr(feed_sources, "POLL_SECONDS", 60.0)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    descriptor = os.open(pipe, os.O_RDWR)  # both ways, so that opening waits for nobody
    blocks = FeedSources([pipe], once=False, stop=threading.Event()).blocks()
    os.write(descriptor, b"1\n")
    assert next(blocks) == [b"1"]
    later = threading.Timer(0.2, os.write, (descriptor, b"2\n"))
    later.start()
    assert [next(blocks), next(blocks)] == [[], [b"2"]]
    later.join()
    os.close(descriptor)
