"""The feed that the benchmark follows is one that nothing is wrong with."""

from __future__ import annotations

from benchmarks.feed_lines import HEARTBEAT_EVERY, lines
from padan_server.domain.feed import START, Beat, PersonChange
from padan_server.domain.feed.envelope import FeedReader
from padan_server.domain.feed.person import KnownRegions
from padan_server.domain.region import RegionTable


def test_the_generated_feed_is_in_order_and_can_be_applied() -> None:
    reader = FeedReader(KnownRegions(RegionTable.published()), clock=lambda: 0)
    last = START
    beats = 0
    for raw in lines(2 * HEARTBEAT_EVERY, arrivals=HEARTBEAT_EVERY):
        line = reader.read(raw.encode())
        assert line is not None
        assert line.position is not None
        assert line.position > last
        assert isinstance(line.change, PersonChange | Beat), line.change
        beats += isinstance(line.change, Beat)
        last = line.position
    assert beats == 3
