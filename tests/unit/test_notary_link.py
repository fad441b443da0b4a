"""The worker's end of the link, against a peer that really listens on a unix socket."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from padan_server.adapters import notary_link
from padan_server.adapters.notary_link import NotaryLink
from padan_server.domain.draft import Kind, Verdict
from padan_server.domain.refusal import Reason, Refusal
from padan_server.link import (
    Append,
    Controlled,
    Frames,
    FromNotary,
    Overloaded,
    Policy,
    Poll,
    Recorded,
    decode_to_notary,
    frame,
)
from tests.support.builders import LOG, draft, verdict


class Peer:
    """Listens as the notary does; keeps what comes, and answers what a test has it answer."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.appends: asyncio.Queue[Append] = asyncio.Queue()
        self.polls: asyncio.Queue[Poll] = asyncio.Queue()
        self.writer: asyncio.StreamWriter | None = None
        self._server: asyncio.Server | None = None

    async def listen(self) -> None:
        self._server = await asyncio.start_unix_server(self._serve, self.path)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        frames = Frames()
        try:
            while data := await reader.read(65_536):
                for body in frames.feed(data):
                    message = decode_to_notary(body)
                    if isinstance(message, Append):
                        self.appends.put_nowait(message)
                    elif isinstance(message, Poll):
                        self.polls.put_nowait(message)
        except ConnectionError:
            pass
        finally:
            writer.close()

    def send(self, message: FromNotary) -> None:
        assert self.writer is not None
        self.writer.write(frame(message))

    def send_raw(self, data: bytes) -> None:
        assert self.writer is not None
        self.writer.write(data)

    def settle(self, append: Append) -> None:
        self.send(Recorded([verdict(draft) for draft in append.drafts]))

    def cut(self) -> None:
        """End the connection, and go on listening."""
        assert self.writer is not None
        self.writer.close()

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        if self.writer is not None:
            self.writer.close()


# What never comes fails the test before the suite's own limit.
pytestmark = pytest.mark.timeout(15)

Linked = tuple[NotaryLink, Peer]


def new_link(
    path: str,
    *,
    timeout_seconds: float = 30.0,
    poll_seconds: float = 30.0,
    known: Callable[[], int] = lambda: 0,
    on_policy: Callable[[Policy], None] = lambda _: None,
) -> NotaryLink:
    return NotaryLink(
        path=path,
        timeout_seconds=timeout_seconds,
        poll_seconds=poll_seconds,
        known_policy=known,
        on_policy=on_policy,
    )


@asynccontextmanager
async def running(link: NotaryLink) -> AsyncIterator[None]:
    task = asyncio.create_task(link.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    with tempfile.TemporaryDirectory(prefix="padan-") as directory:
        peer = Peer(str(Path(directory) / "notary.sock"))
        await peer.listen()
        yield peer
        await peer.close()


@pytest.fixture
async def linked(peer: Peer) -> AsyncIterator[Linked]:
    """A link that is up."""
    link = new_link(peer.path)
    async with running(link):
        await peer.polls.get()
        yield link, peer


async def test_drafts_of_one_turn_are_sent_together_and_in_order(linked: Linked) -> None:
    link, peer = linked
    drafts = [draft(number) for number in range(50)]
    waiting = asyncio.gather(*(link.append(one) for one in drafts))
    append = await peer.appends.get()
    assert append == Append(drafts, resent=False)
    peer.settle(append)
    assert await waiting == [verdict(one) for one in drafts]
    assert peer.appends.empty()


Calls = list[asyncio.Task[Verdict]]


async def under_way(link: NotaryLink, peer: Peer) -> tuple[Calls, list[Append]]:
    """Have a batch of one draft under way."""
    call = asyncio.create_task(link.append(draft(0)))
    return [call], [await peer.appends.get()]


async def test_drafts_of_one_turn_leave_together_although_others_are_under_way(
    linked: Linked,
) -> None:
    link, peer = linked
    calls, sent = await under_way(link, peer)
    calls += [asyncio.create_task(link.append(draft(number))) for number in (10, 11)]
    together = await peer.appends.get()
    assert together == Append([draft(10), draft(11)], resent=False)
    for append in (*sent, together):
        peer.settle(append)
    assert await calls[0] == verdict(draft(0))
    await asyncio.gather(*calls)


async def test_a_draft_is_recorded_although_the_one_before_it_was_declined(
    linked: Linked,
) -> None:
    link, peer = linked
    calls, sent = await under_way(link, peer)
    last = asyncio.create_task(link.append(draft(10)))
    await asyncio.sleep(0)
    for append in sent:
        peer.send(Overloaded([one.draft_id for one in append.drafts]))
    assert all(isinstance(e, Refusal) for e in await asyncio.gather(*calls, return_exceptions=True))
    peer.settle(await peer.appends.get())
    await last


async def test_a_draft_is_recorded_although_the_one_before_it_took_too_long(
    peer: Peer,
) -> None:
    link = new_link(peer.path, timeout_seconds=0.3)
    async with running(link):
        await peer.polls.get()
        calls, late = await under_way(link, peer)
        assert all(
            isinstance(e, Refusal) for e in await asyncio.gather(*calls, return_exceptions=True)
        )
        last = asyncio.create_task(link.append(draft(10)))
        await asyncio.sleep(0)
        for append in late:
            peer.settle(append)
        peer.settle(await peer.appends.get())
        assert await last == verdict(draft(10))


async def test_after_a_break_drafts_leave_as_before(linked: Linked) -> None:
    link, peer = linked
    calls, _ = await under_way(link, peer)
    peer.cut()
    again = await peer.appends.get()
    assert again.resent
    peer.settle(again)
    await asyncio.gather(*calls)
    calls, sent = await under_way(link, peer)
    for append in sent:
        peer.settle(append)
    await asyncio.gather(*calls)


async def test_verdicts_find_their_drafts_in_any_order(linked: Linked) -> None:
    link, peer = linked
    waiting = asyncio.gather(*(link.append(draft(number)) for number in range(3)))
    append = await peer.appends.get()
    for one in reversed(append.drafts):
        peer.send(Recorded([verdict(one, index=int.from_bytes(one.draft_id, "big"))]))
    assert [verdict.index for verdict in await waiting] == [0, 1, 2]


async def test_a_verdict_that_nobody_waits_for_is_let_go(linked: Linked) -> None:
    link, peer = linked
    waiting = asyncio.create_task(link.append(draft(1)))
    append = await peer.appends.get()
    peer.send(Recorded([verdict(draft(9))]))
    peer.settle(append)
    assert await waiting == verdict(draft(1))


async def test_a_caller_who_stops_waiting_does_not_stop_the_record(linked: Linked) -> None:
    link, peer = linked
    waiting = asyncio.create_task(link.append(draft(1)))
    append = await peer.appends.get()
    waiting.cancel()
    assert not await link.drain(seconds=0.0)
    peer.settle(append)
    assert await link.drain(seconds=5.0)


async def test_what_has_no_verdict_is_sent_again_as_resent_after_the_link_broke(
    linked: Linked,
) -> None:
    link, peer = linked
    waiting = asyncio.gather(link.append(draft(1)), link.append(draft(2)))
    await asyncio.sleep(0)
    assert link.note(draft(3, kind=Kind.REFUSAL))
    append = await peer.appends.get()
    peer.cut()
    assert await peer.appends.get() == Append(append.drafts, resent=True)
    peer.settle(append)
    assert list(await waiting) == [verdict(draft(1)), verdict(draft(2))]
    assert await link.drain(seconds=5.0)


async def test_what_has_its_verdict_is_not_sent_again(linked: Linked) -> None:
    link, peer = linked
    first = asyncio.create_task(link.append(draft(1)))
    peer.settle(await peer.appends.get())
    await first
    second = asyncio.create_task(link.append(draft(2)))
    await peer.appends.get()
    peer.cut()
    assert await peer.appends.get() == Append([draft(2)], resent=True)
    peer.send(Recorded([verdict(draft(2))]))
    await second


async def test_drafts_made_before_the_first_link_are_sent_when_it_is_up(peer: Peer) -> None:
    link = new_link(peer.path)
    waiting = asyncio.create_task(link.append(draft(1)))
    await asyncio.sleep(0)
    async with running(link):
        append = await peer.appends.get()
        assert append.drafts == [draft(1)]
        peer.settle(append)
        await waiting


async def test_a_draft_made_while_the_link_comes_up_is_sent_once(peer: Peer) -> None:
    """One draft in each turn of the loop until the link is up, and some turns longer."""
    link, calls = new_link(peer.path), []
    async with running(link):
        number = 0
        while peer.appends.empty() or number < 100:
            calls.append(asyncio.create_task(link.append(draft(number))))
            number += 1
            await asyncio.sleep(0)
        seen: list[bytes] = []
        while len(set(seen)) < number or not peer.appends.empty():
            append = await peer.appends.get()
            seen += [one.draft_id for one in append.drafts]
            peer.settle(append)
        await asyncio.gather(*calls)
        assert len(seen) == len(set(seen))


async def test_nothing_listens_and_the_answer_waits_no_longer_than_it_may(
    tmp_path: Path,
) -> None:
    link = new_link(str(tmp_path / "nobody.sock"), timeout_seconds=0.01)
    async with running(link):
        with pytest.raises(Refusal) as refused:
            await link.append(draft(1))
    assert refused.value.reason is Reason.LEDGER_UNAVAILABLE
    assert refused.value.retry_after_seconds


async def test_a_notary_that_does_not_answer_is_a_ledger_that_is_not_available(
    peer: Peer,
) -> None:
    link = new_link(peer.path, timeout_seconds=0.01)
    async with running(link):
        with pytest.raises(Refusal) as refused:
            await link.append(draft(1))
        assert (await peer.appends.get()).drafts == [draft(1)]
        peer.send(Recorded([verdict(draft(1))]))  # too late: nobody waits
        assert await link.drain(seconds=5.0)
    assert refused.value.reason is Reason.LEDGER_UNAVAILABLE


async def test_drafts_that_the_notary_has_no_room_for_are_refused(linked: Linked) -> None:
    link, peer = linked
    taken, declined = (asyncio.create_task(link.append(draft(n))) for n in (1, 2))
    await peer.appends.get()
    peer.send(Overloaded([draft(2).draft_id]))
    with pytest.raises(Refusal) as refused:
        await declined
    assert refused.value.reason is Reason.LEDGER_UNAVAILABLE
    assert not taken.done()
    peer.send(Recorded([verdict(draft(1))]))
    await taken


async def test_a_refusal_that_the_notary_has_no_room_for_is_offered_again(
    linked: Linked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notary_link, "NOTE_AGAIN_SECONDS", 0.01)
    link, peer = linked
    link.note(draft(1, kind=Kind.REFUSAL))
    await peer.appends.get()
    peer.send(Overloaded([draft(1).draft_id]))
    again = await peer.appends.get()
    assert [one.draft_id for one in again.drafts] == [draft(1).draft_id]
    peer.settle(again)
    assert await link.drain(seconds=5.0)


async def test_refusals_have_room_of_their_own_and_no_more(
    linked: Linked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notary_link, "NOTES_MAX", 2)
    link, peer = linked
    assert [link.note(draft(n, kind=Kind.REFUSAL)) for n in range(3)] == [True, True, False]
    append = await peer.appends.get()
    assert len(append.drafts) == 2
    peer.settle(append)
    assert await link.drain(seconds=5.0)
    assert link.note(draft(3, kind=Kind.REFUSAL))


async def test_answers_that_wait_are_bounded(
    linked: Linked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notary_link, "WAITING_MAX", 1)
    link, peer = linked
    waiting = asyncio.create_task(link.append(draft(1)))
    append = await peer.appends.get()
    with pytest.raises(Refusal) as refused:
        await link.append(draft(2))
    assert refused.value.reason is Reason.LEDGER_UNAVAILABLE
    peer.settle(append)
    await waiting


@pytest.mark.parametrize(
    "garbage",
    [b"\xff\xff\xff\xff", b"\x00\x00\x00\x00", b"GET / HTTP/1.1\r\n\r\n", frame(Poll(1))],
)
async def test_a_peer_that_is_no_notary_is_left_and_tried_again(
    linked: Linked, garbage: bytes
) -> None:
    link, peer = linked
    waiting = asyncio.create_task(link.append(draft(1)))
    await peer.appends.get()
    peer.send_raw(garbage)
    again = await peer.appends.get()
    assert again == Append([draft(1)], resent=True)
    peer.settle(again)
    assert await waiting == verdict(draft(1))


async def test_an_answer_to_nothing_that_was_asked_breaks_the_link(linked: Linked) -> None:
    link, peer = linked
    waiting = asyncio.create_task(link.append(draft(1)))
    await peer.appends.get()
    peer.send(Controlled(1, None, ""))
    again = await peer.appends.get()
    assert again.resent
    peer.settle(again)
    await waiting


async def test_the_policy_is_polled_from_the_version_that_is_known(peer: Peer) -> None:
    told: list[Policy] = []
    link = new_link(
        peer.path,
        poll_seconds=0.01,
        known=lambda: told[-1].version if told else 0,
        on_policy=told.append,
    )
    async with running(link):
        assert await peer.polls.get() == Poll(0)
        peer.send(Policy(5, [], LOG))
        while (await peer.polls.get()) != Poll(5):
            pass
    assert told == [Policy(5, [], LOG)]


async def test_draining_waits_for_verdicts_and_not_for_ever(linked: Linked) -> None:
    link, peer = linked
    assert await link.drain(seconds=0.0)
    link.note(draft(1, kind=Kind.FAULT))
    assert not await link.drain(seconds=0.02)
    peer.settle(await peer.appends.get())
    assert await link.drain(seconds=5.0)


async def test_many_unsettled_drafts_are_sent_again_in_parts_that_fit_a_frame(
    peer: Peer,
) -> None:
    link = new_link(peer.path)
    calls = [asyncio.create_task(link.append(draft(number))) for number in range(1200)]
    await asyncio.sleep(0)
    seen: list[bytes] = []
    async with running(link):
        while len(seen) < len(calls):
            append = await peer.appends.get()
            assert len(append.drafts) <= 500
            seen += [one.draft_id for one in append.drafts]
            peer.settle(append)
        verdicts: list[Verdict] = await asyncio.gather(*calls)
    assert [one.draft_id for one in verdicts] == seen
