"""Keys in files: made once, read by their owner alone, shared by workers, destroyed by deletion."""

from __future__ import annotations

import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from padan_server.adapters.entropy_system import SystemEntropy
from padan_server.adapters.keyring_file import (
    LOOK_SECONDS,
    KeyringError,
    NotaryKeys,
    WorkerKeys,
    create,
)
from tests.support.builders import NIK, NOW, Clock

DAY = 86_400
MIDNIGHT = NOW - NOW % DAY + DAY
WORKER_FILES = ("key-encrypting.key", "content-mac.key", "subject-token.key", "cache.key")


@pytest.fixture
def keys_dir(tmp_path: Path) -> Path:
    create(tmp_path / "keys")
    return tmp_path / "keys"


@pytest.fixture
def clock() -> Clock:
    return Clock()


def worker(keys_dir: Path, clock: Clock | None = None) -> WorkerKeys:
    return WorkerKeys(keys_dir / "worker", clock=clock or Clock(), entropy=SystemEntropy())


def content(keys_dir: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in keys_dir.rglob("*") if path.is_file()}


def test_keys_are_for_their_owner_alone(keys_dir: Path) -> None:
    worker(keys_dir).seal(b"", b"")
    files = list(content(keys_dir))
    assert len(files) == len(WORKER_FILES) + 3
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    for part in ("worker", "notary"):
        assert stat.S_IMODE((keys_dir / part).stat().st_mode) == 0o700


def test_keys_are_all_different_and_long(keys_dir: Path) -> None:
    made = list(content(keys_dir).values())
    assert {len(key) for key in made} == {32}
    assert len(set(made)) == len(made)


def test_keys_that_exist_are_never_overwritten(keys_dir: Path) -> None:
    before = content(keys_dir)
    with pytest.raises(KeyringError, match="holds keys already"):
        create(keys_dir)
    assert content(keys_dir) == before


@pytest.mark.parametrize("part", ["worker", "notary"])
def test_half_an_installations_keys_are_not_overwritten_either(tmp_path: Path, part: str) -> None:
    (tmp_path / part).mkdir()
    (tmp_path / part / "some.key").write_bytes(b"precious")
    with pytest.raises(KeyringError):
        create(tmp_path)
    assert content(tmp_path) == {tmp_path / part / "some.key": b"precious"}


@pytest.mark.parametrize("name", WORKER_FILES)
def test_a_missing_key_is_named_and_stops_the_worker(keys_dir: Path, name: str) -> None:
    (keys_dir / "worker" / name).unlink()
    with pytest.raises(KeyringError, match=name):
        worker(keys_dir)


def test_two_workers_agree_on_the_key_of_the_day(keys_dir: Path) -> None:
    one, other = worker(keys_dir), worker(keys_dir)
    assert other.unseal(one.seal(b"text", b"context"), b"context") == b"text"
    assert one.unseal(other.seal(b"text", b"context"), b"context") == b"text"
    assert len(list((keys_dir / "worker").glob("data-*.key"))) == 1


def test_workers_that_start_at_once_agree_on_the_key_of_the_day(keys_dir: Path) -> None:
    workers = [worker(keys_dir) for _ in range(8)]
    with ThreadPoolExecutor(len(workers)) as pool:
        sealed = list(pool.map(lambda keys: keys.seal(b"text", b""), workers))
    assert [workers[0].unseal(one, b"") for one in sealed] == [b"text"] * len(workers)
    assert not list((keys_dir / "worker").glob(".*"))


def test_each_day_in_utc_has_its_own_key_and_older_seals_still_open(
    keys_dir: Path, clock: Clock
) -> None:
    keys = worker(keys_dir, clock)
    clock.now = MIDNIGHT - 0.001
    today = keys.seal(b"today", b"")
    clock.now = MIDNIGHT
    tomorrow = keys.seal(b"tomorrow", b"")
    assert today[:4] == (20260921).to_bytes(4, "big")
    assert tomorrow[:4] == (20260922).to_bytes(4, "big")
    files = sorted((keys_dir / "worker").glob("data-*.key"))
    assert [path.name for path in files] == ["data-20260921.key", "data-20260922.key"]
    assert files[0].read_bytes() != files[1].read_bytes()
    assert (keys.unseal(today, b""), keys.unseal(tomorrow, b"")) == (b"today", b"tomorrow")


def test_a_days_key_opens_no_other_days_seal(keys_dir: Path, clock: Clock) -> None:
    sealed = worker(keys_dir, clock).seal(b"text", b"")
    clock.now += DAY
    worker(keys_dir, clock).seal(b"", b"")
    with pytest.raises(ValueError, match="seal"):
        worker(keys_dir).unseal((20260922).to_bytes(4, "big") + sealed[4:], b"")


def test_what_was_sealed_is_gone_with_its_days_key(keys_dir: Path) -> None:
    sealed = worker(keys_dir).seal(b"text", b"")
    (keys_dir / "worker" / "data-20260921.key").unlink()
    with pytest.raises(ValueError, match="its key is gone"):
        worker(keys_dir).unseal(sealed, b"")
    assert not list((keys_dir / "worker").glob("data-*.key"))


@pytest.mark.parametrize("act", [lambda keys: keys.seal(b"", b""), lambda _: None])
def test_a_worker_that_runs_forgets_a_destroyed_key_within_a_minute(
    keys_dir: Path, clock: Clock, act: Callable[[WorkerKeys], object]
) -> None:
    keys = worker(keys_dir, clock)
    yesterday = keys.seal(b"yesterday", b"")
    clock.now += DAY
    today = keys.seal(b"today", b"")
    assert keys.unseal(yesterday, b"") == b"yesterday"
    (keys_dir / "worker" / "data-20260921.key").unlink()
    clock.now += LOOK_SECONDS
    act(keys)
    with pytest.raises(ValueError, match="its key is gone"):
        keys.unseal(yesterday, b"")
    assert keys.unseal(today, b"") == b"today"


def test_a_worker_looks_for_destroyed_keys_no_more_than_once_a_minute(
    keys_dir: Path, clock: Clock
) -> None:
    keys = worker(keys_dir, clock)
    sealed = keys.seal(b"text", b"")
    (keys_dir / "worker" / "data-20260921.key").unlink()
    clock.now += LOOK_SECONDS - 1
    assert keys.unseal(sealed, b"") == b"text"
    clock.now += 1
    with pytest.raises(ValueError, match="its key is gone"):
        keys.unseal(sealed, b"")


def test_a_worker_seals_on_until_the_day_ends_although_its_key_was_destroyed(
    keys_dir: Path, clock: Clock
) -> None:
    keys = worker(keys_dir, clock)
    keys.seal(b"", b"")
    (keys_dir / "worker" / "data-20260921.key").unlink()
    clock.now += LOOK_SECONDS
    keys.seal(b"text", b"")
    assert not list((keys_dir / "worker").glob("data-*.key"))


def test_a_daily_key_of_another_installation_is_refused(keys_dir: Path) -> None:
    sealed = worker(keys_dir).seal(b"text", b"")
    (keys_dir / "worker" / "key-encrypting.key").write_bytes(bytes(32))
    with pytest.raises(KeyringError, match=r"data-20260921\.key is not wrapped under"):
        worker(keys_dir).seal(b"text", b"")
    with pytest.raises(ValueError, match="seal"):
        worker(keys_dir).unseal(sealed, b"")


def test_daily_keys_are_not_on_disk_in_the_clear(keys_dir: Path) -> None:
    worker(keys_dir).seal(b"", b"")
    (wrapped,) = (keys_dir / "worker").glob("data-*.key")
    assert len(wrapped.read_bytes()) == 32 + 8


def test_a_seal_opens_in_its_context_alone(keys_dir: Path) -> None:
    keys = worker(keys_dir)
    sealed = keys.seal(b"text", b"context")
    for context in (b"", b"contex", b"context "):
        with pytest.raises(ValueError, match="seal"):
            keys.unseal(sealed, context)


def test_the_same_text_is_sealed_differently_each_time(keys_dir: Path) -> None:
    keys = worker(keys_dir)
    assert keys.seal(b"text", b"") != keys.seal(b"text", b"")


@given(data=st.data())
def test_a_changed_or_cut_seal_does_not_open(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    keys = worker(shared_keys(tmp_path_factory))
    sealed = bytearray(keys.seal(b"text", b"context"))
    if data.draw(st.booleans()):
        sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    else:
        del sealed[data.draw(st.integers(0, len(sealed) - 1)) :]
    with pytest.raises(ValueError, match=r"seal|[Nn]once"):
        keys.unseal(bytes(sealed), b"context")


def shared_keys(factory: pytest.TempPathFactory) -> Path:
    directory = factory.getbasetemp() / "shared-keys"
    if not directory.exists():
        create(directory)
    return directory


def test_pseudonyms_and_macs_are_the_installations_and_reveal_no_nik(
    keys_dir: Path, tmp_path: Path
) -> None:
    create(tmp_path / "other")
    one, same, other = worker(keys_dir), worker(keys_dir), worker(tmp_path / "other")
    assert one.subject_token("a", NIK) == same.subject_token("a", NIK)
    assert one.subject_token("a", NIK) != other.subject_token("a", NIK)
    assert one.content_mac(b"x") == same.content_mac(b"x")
    assert one.content_mac(b"x") not in (other.content_mac(b"x"), sha256(b"x").digest())
    assert one.content_mac(b"x") != one.content_mac(b"y")


def test_pseudonyms_cannot_be_shifted_between_partner_and_nik(keys_dir: Path) -> None:
    keys = worker(keys_dir)
    assert keys.subject_token("bank-1", "234") != keys.subject_token("bank-12", "34")


def test_the_notary_signs_with_the_key_it_shows(keys_dir: Path) -> None:
    keys = NotaryKeys(keys_dir / "notary")
    public = Ed25519PublicKey.from_public_bytes(keys.public_key())
    public.verify(keys.sign(b"head"), b"head")
    with pytest.raises(InvalidSignature):
        public.verify(keys.sign(b"head"), b"another")


def test_the_notarys_subject_key_is_the_newest_epochs(keys_dir: Path) -> None:
    first = NotaryKeys(keys_dir / "notary")
    for epoch in (2, 10):
        (keys_dir / "notary" / f"subject-epoch-{epoch}.key").write_bytes(bytes([epoch]) * 32)
    newest = NotaryKeys(keys_dir / "notary")
    assert (first.subject_epoch, newest.subject_epoch) == (1, 10)
    assert first.subject_mac(NIK) != newest.subject_mac(NIK)


@pytest.mark.parametrize("name", ["log-signing.key", "subject-epoch-1.key"])
def test_a_notary_without_one_of_its_keys_does_not_start(keys_dir: Path, name: str) -> None:
    (keys_dir / "notary" / name).unlink()
    with pytest.raises(KeyringError):
        NotaryKeys(keys_dir / "notary")
