"""The client's two readers of entries: they take what the notary writes, and refuse alike."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from padan_client.verify import canonical
from padan_client.verify.entries import parse_entry
from padan_client.verify.errors import EntryInvalid, Unreadable
from padan_client.verify.typed_entry import Reader
from padan_server.domain import canonical as server_canonical
from padan_server.domain.draft import Kind
from tests.support.ledger import again, refusal
from tests.support.log_entries import Log, asked, changed


def log_of_all_kinds() -> list[bytes]:
    log = Log()
    log.add_partner()
    first = asked()
    log.append(first, again(first), refusal(), refusal(kind=Kind.FAULT.value, reason="INTERNAL"))
    log.append(refusal(kind=Kind.SUMMARY.value, request_id="", count=7))
    return log.entries


ENTRIES = log_of_all_kinds()


def test_log_has_all_kinds() -> None:
    kinds = {server_canonical.loads(data)["kind"] for data in ENTRIES}

    assert kinds == {kind.value for kind in Kind}


@pytest.mark.parametrize("data", ENTRIES)
def test_what_the_notary_writes_is_read(data: bytes) -> None:
    expected = server_canonical.loads(data)
    typed = Reader().parse(data)

    assert parse_entry(data, "it") == expected
    assert (typed.index, typed.kind, typed.partner) == tuple(
        expected[name] for name in ("index", "kind", "partner")
    )


def both_refuse(data: bytes) -> None:
    with pytest.raises(EntryInvalid):
        parse_entry(data, "it")
    with pytest.raises(EntryInvalid):
        Reader().parse(data)


@pytest.mark.parametrize(
    "fields",
    [
        {"version": 2},
        {"version": None},
        {"kind": "OTHER"},
        {"kind": 1},
        {"kind": "REFUSAL"},
        {"index": -1},
        {"index": True},
        {"index": "1"},
        {"nonce": None},
        {"answer": None},
        {"answer": []},
        {"ask": None},
        {"control": {}},
        {"count": 1},
        {"reason": "X"},
        {"replay_of": 0},
        {"novelty": 1},
        {"answer": {"as_of": "x", "novelty": 1}},
        {"ask": {"novelty": 1}},
        {"charge": {"price": 1, "windows": [], "novelty": 1}},
        {"time": 1},
    ],
    ids=str,
)
def test_entry_of_another_form_is_refused_by_both(fields: dict[str, Any]) -> None:
    both_refuse(changed(ENTRIES[3], **fields))


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data + b"\n",
        lambda data: b" " + data,
        lambda data: data.replace(b'":', b'": ', 1),
        lambda data: data.replace(b"MATCHED", b"M\\u0041TCHED"),
        lambda data: data.replace(b'"index":3', b'"index":3.0'),
        lambda data: data.replace(b'"index":3', b'"index":03'),
        lambda data: data.replace(b'"index":3', b'"index":3,"index":3'),
        lambda data: data.replace(b'"index":3', b'"index":9007199254740992'),
        lambda data: data.replace(b'"kind"', b'"attempt":null,"kind"'),
        lambda data: data.replace(b"MATCHED", b"M\xffTCHED"),
        lambda data: data[:-1],
        lambda data: b"",
        lambda data: b"[]",
        lambda data: b"[" * 60_000,
        lambda data: b'{"a":' * 9_000 + b"1" + b"}" * 9_000,
    ],
)
def test_second_spelling_is_refused_by_both(damage: Any) -> None:
    both_refuse(damage(ENTRIES[3]))


@given(st.sampled_from(ENTRIES), st.data())
def test_entry_with_a_changed_bit_is_taken_by_both_or_by_none(
    data: bytes, drawn: st.DataObject
) -> None:
    bit = drawn.draw(st.integers(0, len(data) * 8 - 1))
    other = bytearray(data)
    other[bit // 8] ^= 1 << bit % 8
    try:
        typed = Reader().parse(bytes(other))
    except EntryInvalid:
        return  # The types say more than the tables: what they refuse, the tables may not.
    assert parse_entry(bytes(other), "it")["kind"] == typed.kind


@pytest.mark.parametrize("control", [{"a": 1.5}, {"é": 1}, {"a": None}, {"a": [[[{"b": 0.5}]]]}])
def test_action_outside_the_canonical_subset_is_refused_by_both(control: dict[str, Any]) -> None:
    both_refuse(changed(ENTRIES[0], control=control))


json_values = st.recursive(
    st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text(st.characters(max_codepoint=127)), inner)
    ),
    max_leaves=10,
)


@given(st.dictionaries(st.text(st.characters(max_codepoint=127)), json_values))
def test_canonical_bytes_are_the_servers(value: dict[str, Any]) -> None:
    data = canonical.dumps(value)

    assert data == server_canonical.dumps(value)
    assert canonical.loads(data, "it") == value


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"1", b"[]", b"null", b"\xff", '{"é":1}'.encode()),
        *(b'{"a":1.0}', b'{"a":null}', b'{"a":NaN}', b'{"a":1}\n'),
        *(b'{"b":1,"a":1}', b'{"a":1,"a":1}', b'{"a":"\\ud800"}', b'{"a":"\\u00e9"}'),
        *(b"[" * 100_000, b'{"a":' * 40, b'{"a":' + b"9" * 5000 + b"}"),
        b'{"a":' * 40 + b"1" + b"}" * 40,
    ],
)
def test_what_is_not_canonical_is_refused(data: bytes) -> None:
    with pytest.raises(Unreadable):
        canonical.loads(data, "it")
