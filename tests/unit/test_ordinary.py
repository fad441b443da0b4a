"""What is read as an ordinary request is valid by the contract, and reads the same the long way."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.message_factory import GetMessageClass
from hypothesis import given
from hypothesis import strategies as st

from padan_server.transport import convert, ordinary
from padan_server.transport.requests import contract

POOL, VALIDATOR = contract()
VerifyRequest: Any = GetMessageClass(POOL.FindMessageTypeByName("padan.v1.VerifyRequest"))

ORDINARY = {
    "nik": "3171015203909001",
    "purpose": 1,
    "request_id": "01938f00-0000-7000-8000-000000000000",
    "operator": "desk 7",
    "claims": {"full_name": "SITI CONTOH", "birth_date": "1990-03-12"},
}

texts = st.text(max_size=130)
"""Any text: control, formatting and unassigned characters, lone marks, every script."""
odd = st.one_of(texts, st.sampled_from(["1990-03-12", "", " ", "A" * 60, "A" * 61, "A\u200bB"]))
claims = st.dictionaries(
    st.sampled_from(
        ["full_name", "birth_place", "birth_date", "mother_name", "father_name", "address", "rt"]
    ),
    odd,
)
requests = st.fixed_dictionaries(
    {},
    optional={
        "nik": st.one_of(st.just(ORDINARY["nik"]), texts),
        "purpose": st.integers(0, 12),
        "request_id": st.one_of(st.just(ORDINARY["request_id"]), texts),
        "operator": odd,
        "case_reference": odd,
        "claims": claims,
        "consent": st.fixed_dictionaries({}, optional={"reference": odd}),
        "max_staleness": st.fixed_dictionaries({"seconds": st.integers(-2, 2_592_001)}),
    },
)


def test_ordinary_request_is_read() -> None:
    query = ordinary.verify_query(VerifyRequest(**ORDINARY))
    assert query is not None
    assert query == convert.verify_query(VerifyRequest(**ORDINARY))


@given(changes=requests)
def test_request_that_is_read_is_valid_and_reads_the_same(changes: dict[str, Any]) -> None:
    request = VerifyRequest(**(ORDINARY | changes))
    query = ordinary.verify_query(request)
    if query is not None:
        assert VALIDATOR.collect_violations(request) == []
        assert query == convert.verify_query(request)


@pytest.mark.parametrize(
    "changes",
    [
        {"nik": "317101520390900"},
        {"purpose": 0},
        {"purpose": 11},
        {"request_id": "01938f00-0000-4000-8000-000000000000"},
        {"claims": {"full_name": "A" * 61}},
        {"claims": {"full_name": "A\0B"}},
        {"claims": {"full_name": "A\u202eB"}},
        {"claims": {"full_name": ""}},
        {"claims": {"birth_date": "1990/03/12"}},
        {"claims": {"birth_date": "1990-W10-1"}},
        {"operator": "A" * 101},
    ],
)
def test_invalid_request_is_left_to_the_validator(changes: dict[str, Any]) -> None:
    request = VerifyRequest(**(ORDINARY | changes))
    assert VALIDATOR.collect_violations(request) != []
    assert ordinary.verify_query(request) is None
