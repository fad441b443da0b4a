"""Requests from bytes: each broken rule names its field, and no value is told back."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from padan.v1 import record_pb2 as record_pb
from padan.v1 import verification_pb2 as pb
from padan_server.domain.claims import LookupQuery, VerifyQuery
from padan_server.domain.refusal import RequestInvalid
from padan_server.transport import convert, ordinary
from padan_server.transport.requests import REQUEST_BYTES_MAX, RequestParser, contract
from tests.support.builders import NIK, request_id

POOL, VALIDATOR = contract()
VERIFY = RequestParser("VerifyRequest", pool=POOL, validator=VALIDATOR)
LOOKUP = RequestParser("LookupRequest", pool=POOL, validator=VALIDATOR)

CANARY = "KANARI"
"""Stands in wrong values: nothing that is told back may hold it."""

UNKNOWN_FIELD = b"\xf8\x7f\x01"  # field 2047, a number


def verifying(**changes: Any) -> pb.VerifyRequest:
    ordinary: dict[str, Any] = {
        "nik": NIK,
        "purpose": 1,
        "request_id": request_id(),
        "claims": claims(full_name="SITI CONTOH LESTARI"),
    }
    return pb.VerifyRequest(**(ordinary | changes))


def claims(**given: Any) -> record_pb.Claims:
    return record_pb.Claims(**given)


def claiming(**given: Any) -> pb.VerifyRequest:
    return verifying(claims=claims(**given))


def looking_up(**changes: Any) -> pb.LookupRequest:
    ordinary: dict[str, Any] = {
        "nik": NIK,
        "purpose": 6,
        "request_id": request_id(),
        "read_mask": FieldMask(paths=["full_name"]),
    }
    return pb.LookupRequest(**(ordinary | changes))


def consenting(**changes: Any) -> pb.Consent:
    return pb.Consent(**({"reference": "consent-7"} | changes))


Request = pb.VerifyRequest | pb.LookupRequest | bytes


def read(request: Request) -> VerifyQuery | LookupQuery:
    if isinstance(request, pb.LookupRequest):
        return read_lookup(request.SerializeToString())
    return read_verify(request if isinstance(request, bytes) else request.SerializeToString())


def read_verify(data: bytes) -> VerifyQuery:
    message = VERIFY.parse(data)
    query = ordinary.verify_query(message)
    if query is None:
        VERIFY.validate(message)
        query = convert.verify_query(message)
    return query


def read_lookup(data: bytes) -> LookupQuery:
    message = LOOKUP.parse(data)
    LOOKUP.validate(message)
    return convert.lookup_query(message)


def refused(request: Request) -> set[str]:
    """Give the fields that a refusal names; nothing told may hold the canary."""
    with pytest.raises(RequestInvalid) as invalid:
        read(request)
    told = f"{invalid.value} {invalid.value.text} {invalid.value.violations}"
    assert CANARY not in told
    assert NIK not in told
    assert all(text for _, text in invalid.value.violations)
    return {field for field, _ in invalid.value.violations}


def with_part(number: int, part: bytes) -> bytes:
    """Add a message in a field of an ordinary request; parts of one field are merged."""
    whole = verifying().SerializeToString()
    return whole + bytes([number << 3 | 2, len(part)]) + part


NOT_TEXT = [
    "\0",
    "\x01",
    "\t",
    "\n",
    "\r",
    "\x1b",
    "\x7f",
    "\x85",
    "\x9f",
    # What Unicode calls Bidi_Control: it reorders what a reader sees.
    "\u061c",
    "\u200e",
    "\u200f",
    *map(chr, range(0x202A, 0x202F)),
    *map(chr, range(0x2066, 0x206A)),
    # What is not seen at all.
    "\u200b",
    "\u200c",
    "\u200d",
    "\u2060",
    "\ufeff",
    "\u2028",
    "\u2029",
]
CLAIMED_TEXTS = ["full_name", "birth_place", "mother_name", "father_name", "address"]


def test_an_ordinary_request_is_read() -> None:
    assert read(verifying()) == VerifyQuery(
        nik=NIK,
        purpose="ACCOUNT_OPENING",
        request_id=request_id(),
        consent=None,
        case_reference="",
        operator="",
        max_staleness_seconds=None,
        claims={"full_name": "SITI CONTOH LESTARI"},
    )


@pytest.mark.parametrize(
    "nik",
    [
        "",
        CANARY,
        NIK[:15],
        NIK + "1",
        NIK + "\n",
        " " + NIK,
        "317101520390900A",
        "".join(chr(0x660 + int(digit)) for digit in NIK),
        "3171013203909001",
        "3171015213909001",
        "3171015203900000",
    ],
)
def test_a_malformed_nik_is_refused_by_every_method(nik: str) -> None:
    assert refused(verifying(nik=nik)) == {"nik"}
    assert refused(looking_up(nik=nik)) == {"nik"}


@pytest.mark.parametrize("purpose", [0, -1, 11, 2**31 - 1])
def test_a_purpose_that_the_contract_does_not_have_is_refused(purpose: int) -> None:
    assert refused(verifying(purpose=purpose)) == {"purpose"}
    assert refused(looking_up(purpose=purpose)) == {"purpose"}


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        CANARY,
        "01a0c450-6c00-4000-8000-000000000001",  # version 4
        "01a0c450-6c00-7000-c000-000000000001",  # another variant
        "01A0C450-6C00-7000-8000-000000000001",
        "01a0c4506c0070008000000000000001",
        "{01a0c450-6c00-7000-8000-000000000001}",
        "01a0c450-6c00-7000-8000-000000000001\n",
        "01a0c450-6c00-7000-8000-00000000000",
    ],
)
def test_a_request_id_that_is_no_uuidv7_is_refused(wrong: str) -> None:
    assert refused(verifying(request_id=wrong)) == {"request_id"}
    assert refused(looking_up(request_id=wrong)) == {"request_id"}


@pytest.mark.parametrize(
    ("element", "wrong"),
    [
        ("full_name", ""),
        ("full_name", CANARY + "X" * 55),
        ("birth_place", CANARY + "X" * 55),
        ("mother_name", CANARY + "X" * 55),
        ("father_name", CANARY + "X" * 55),
        ("address", CANARY + "X" * 115),
        ("full_name", "   "),
        ("address", "\u3000\u00a0"),
        ("birth_date", ""),
        ("birth_date", CANARY),
        ("birth_date", "12-03-1990"),
        ("birth_date", "1990-3-12"),
        ("birth_date", "19900312"),
        ("birth_date", "1990-02-30"),
        ("birth_date", "1990-00-01"),
        ("birth_date", "1990-13-01"),
        ("birth_date", "1900-02-29"),
        ("birth_date", "0000-01-01"),
        ("birth_date", "1990-03-12\n"),
        ("birth_date", "1990-03-12T00:00:00Z"),
        ("born_on_or_before", "1990-02-30"),
        ("born_on_or_before", CANARY),
        ("sex", 0),
        ("sex", 3),
        ("sex", -1),
        ("marital_status", 0),
        ("marital_status", 5),
        ("family_card_number", "317101010120900"),
        ("family_card_number", CANARY),
        ("rt", ""),
        ("rt", "0001"),
        ("rt", "1a"),
        ("rt", "\N{ARABIC-INDIC DIGIT ONE}"),
        ("rw", "-1"),
        ("province_code", "3"),
        ("province_code", "317"),
        ("regency_code", "31.71"),
        ("district_code", "3171011001"),
        ("village_code", "317101"),
        ("village_code", CANARY),
    ],
)
def test_a_claim_that_breaks_its_rule_is_named(element: str, wrong: str | int) -> None:
    assert refused(claiming(**{element: wrong})) == {f"claims.{element}"}


@pytest.mark.parametrize("character", NOT_TEXT, ids=ascii)
@pytest.mark.parametrize("element", CLAIMED_TEXTS)
def test_control_and_bidi_characters_are_refused_in_every_text(
    element: str, character: str
) -> None:
    assert refused(claiming(**{element: f"{CANARY}{character}X"})) == {f"claims.{element}"}


@pytest.mark.parametrize("character", NOT_TEXT, ids=ascii)
def test_control_and_bidi_characters_are_refused_in_references(character: str) -> None:
    wrong = f"{CANARY}{character}"
    request = verifying(operator=wrong, case_reference=wrong, consent=consenting(reference=wrong))
    assert refused(request) == {"operator", "case_reference", "consent.reference"}


@pytest.mark.parametrize("element", CLAIMED_TEXTS)
def test_the_longest_text_passes_whatever_its_characters(element: str) -> None:
    longest = 120 if element == "address" else 60
    for character in ("X", "\u00e9", "\u6f22", "\U00020000"):
        query = read(claiming(**{element: character * longest}))
        assert isinstance(query, VerifyQuery)
        assert query.claims == {element: character * longest}


@pytest.mark.parametrize(
    ("given_claims", "field"),
    [
        ({"full_name": "MUH. NUR'AINI"}, "full_name"),
        ({"sex": 2}, "sex"),
        ({"born_on_or_before": "2009-11-24"}, "born_on_or_before"),
        ({"rt": "7"}, "rt"),
    ],
)
def test_one_claim_is_enough(given_claims: dict[str, Any], field: str) -> None:
    query = read(claiming(**given_claims))
    assert isinstance(query, VerifyQuery)
    assert list(query.claims) == [field]


def test_a_verification_without_claims_is_refused() -> None:
    assert refused(claiming()) == {"claims"}
    without = verifying()
    without.ClearField("claims")
    assert refused(without) == {"claims"}


def test_every_broken_rule_is_told_at_once() -> None:
    request = verifying(
        nik=CANARY,
        purpose=0,
        request_id="x",
        operator="\0",
        claims=claims(full_name="X" * 61, sex=9, rt="x"),
    )
    assert refused(request) == {
        "nik",
        "purpose",
        "request_id",
        "operator",
        "claims.full_name",
        "claims.sex",
        "claims.rt",
    }


def test_dates_that_are_no_days_and_malformed_niks_are_told_at_once() -> None:
    request = verifying(
        nik="3171015213909001",
        claims=claims(birth_date="1990-02-30", born_on_or_before="1990-02-31"),
    )
    assert refused(request) == {"nik", "claims.birth_date", "claims.born_on_or_before"}


@pytest.mark.parametrize("name", ["operator", "case_reference"])
def test_a_reference_of_a_hundred_characters_passes_and_no_longer_one(name: str) -> None:
    assert getattr(read(verifying(**{name: "\u6f22" * 100})), name) == "\u6f22" * 100
    assert refused(verifying(**{name: CANARY + "X" * 95})) == {name}
    assert refused(looking_up(**{name: CANARY + "X" * 95})) == {name}


@pytest.mark.parametrize("reference", ["", CANARY + "X" * 95])
def test_a_consent_names_its_reference(reference: str) -> None:
    assert refused(verifying(consent=consenting(reference=reference))) == {"consent.reference"}


@pytest.mark.parametrize(
    "digest",
    [
        *(sha256(bytes([number])).digest() for number in range(8)),
        bytes(32),
        b"\xff" * 32,
        b"\n" * 32,
    ],
    ids=bytes.hex,
)
@pytest.mark.parametrize("claimed", [{"full_name": "SITI"}, {"full_name": "SITI", "rt": "1"}])
def test_the_digest_of_any_consent_document_is_taken(
    digest: bytes, claimed: dict[str, Any]
) -> None:
    consent = read(verifying(claims=claims(**claimed), consent=consenting(sha256=digest))).consent
    assert consent is not None
    assert consent.sha256 == digest.hex()


@pytest.mark.parametrize("digest", [b"x", bytes(31), bytes(33), b"\n", b"\xff" * 31, b"ab" * 32])
def test_what_is_no_sha256_is_refused(digest: bytes) -> None:
    assert refused(verifying(consent=consenting(sha256=digest))) == {"consent.sha256"}


@pytest.mark.parametrize("seconds", [2**62, -(2**62), 253_402_300_800, -62_135_596_801])
def test_a_consent_given_outside_the_calendar_is_refused(seconds: int) -> None:
    consent = consenting(given_at=Timestamp(seconds=seconds))
    assert refused(verifying(consent=consent)) == {"consent.given_at"}


@pytest.mark.parametrize(
    ("given_at", "text"),
    [
        (Timestamp(seconds=0), "1970-01-01T00:00:00Z"),
        (Timestamp(seconds=1_790_000_000, nanos=999_999_999), "2026-09-21T14:13:20Z"),
        (Timestamp(seconds=-1), "1969-12-31T23:59:59Z"),
    ],
)
def test_a_consents_time_is_kept_to_the_second(given_at: Timestamp, text: str) -> None:
    consent = read(verifying(consent=consenting(given_at=given_at))).consent
    assert consent is not None
    assert consent.given_at == text


@pytest.mark.parametrize(
    "staleness",
    [
        Duration(),
        Duration(nanos=99_999_999),
        Duration(seconds=-1),
        Duration(seconds=2_592_000, nanos=1),
        Duration(seconds=1, nanos=-999_999_999),
        Duration(seconds=2_591_999, nanos=2_000_000_000),
        Duration(seconds=2**63 - 1),
        Duration(seconds=-(2**63)),
    ],
)
def test_a_staleness_out_of_bounds_is_refused(staleness: Duration) -> None:
    assert refused(verifying(max_staleness=staleness)) == {"max_staleness"}
    assert refused(looking_up(max_staleness=staleness)) == {"max_staleness"}


@pytest.mark.parametrize(
    ("staleness", "seconds"),
    [
        (Duration(nanos=100_000_000), 0.1),
        (Duration(seconds=2, nanos=500_000_000), 2.5),
        (Duration(seconds=2_592_000), 2_592_000.0),
    ],
)
def test_a_staleness_within_bounds_is_read(staleness: Duration, seconds: float) -> None:
    assert read(verifying(max_staleness=staleness)).max_staleness_seconds == seconds


@pytest.mark.parametrize(
    "paths",
    [
        [],
        ["*"],
        [""],
        ["nik"],
        ["fingerprint"],
        [CANARY],
        ["full_name", CANARY],
        ["full_name.first"],
        ["person.full_name"],
        ["born_on_or_before"],
        ["fullName"],
        ["FULL_NAME"],
    ],
)
def test_a_read_mask_names_fields_of_a_person_and_nothing_else(paths: list[str]) -> None:
    assert refused(looking_up(read_mask=FieldMask(paths=paths))) == {"read_mask"}


def test_a_lookup_without_a_read_mask_is_refused() -> None:
    request = looking_up()
    request.ClearField("read_mask")
    assert refused(request) == {"read_mask"}


def test_elements_are_read_once_each_and_in_the_contracts_order() -> None:
    mask = FieldMask(paths=["postal_code", "full_name", "postal_code"])
    query = read(looking_up(read_mask=mask))
    assert isinstance(query, LookupQuery)
    assert query.elements == ("full_name", "postal_code")


@pytest.mark.parametrize(
    ("where", "request_bytes"),
    [
        ("", verifying().SerializeToString() + UNKNOWN_FIELD),
        ("claims", with_part(2, UNKNOWN_FIELD)),
        ("consent", with_part(5, consenting().SerializeToString() + UNKNOWN_FIELD)),
        ("max_staleness", with_part(8, b"\x08\x01" + UNKNOWN_FIELD)),
    ],
)
def test_a_field_that_is_not_known_is_refused_where_it_stands(
    where: str, request_bytes: bytes
) -> None:
    assert refused(request_bytes) == {where}


@pytest.mark.parametrize("name", ["VerifyRequest", "LookupRequest"])
def test_nothing_of_ours_stands_deeper_than_unknown_fields_are_looked_for(name: str) -> None:
    request = POOL.FindMessageTypeByName(f"padan.v1.{name}")
    inner = [field.message_type for field in request.fields if field.message_type]
    deeper = {f.message_type.full_name for m in inner for f in m.fields if f.message_type}
    assert all(full_name.startswith("google.protobuf.") for full_name in deeper)


def test_a_text_in_a_field_that_is_not_known_is_not_told_back() -> None:
    text = b"\xfa\x7f\x06" + CANARY.encode()
    assert refused(verifying().SerializeToString() + text) == {""}
    assert refused(with_part(2, text)) == {"claims"}


def test_a_claim_of_a_newer_contract_is_not_silently_left_uncompared() -> None:
    newer = b"\x9a\x01\x01x"  # field 19 of Claims
    assert refused(with_part(2, newer)) == {"claims"}


def test_a_request_that_is_too_long_is_refused_before_it_is_read() -> None:
    padded = verifying().SerializeToString()
    filler = b"\xfa\x7f\x80\x80\x01" + b"x" * (REQUEST_BYTES_MAX - len(padded))
    assert refused(padded + filler) == {""}
    assert refused(bytes(REQUEST_BYTES_MAX + 1)) == {""}


@pytest.mark.parametrize(
    "garbage",
    [
        b"\xff",
        b"\xff" * 100,
        b"garbage",
        CANARY.encode(),
        verifying().SerializeToString()[:-3],
        b"\x0a\x02\xff\xfe",  # nik that is not UTF-8
        b"\x0a\xff\xff\xff\xff\x0f",  # nik longer than the message
        b"\x12" * 200,
        b"\x0b" * 300,  # groups that never end
    ],
)
def test_bytes_that_are_no_request_are_refused(garbage: bytes) -> None:
    assert refused(garbage) == {""}


def test_an_empty_message_names_all_that_is_needed() -> None:
    assert refused(b"") == {"nik", "purpose", "request_id", "claims"}


@given(st.binary(max_size=200) | st.binary(max_size=40).map(lambda b: with_part(2, b)))
def test_whatever_comes_is_read_or_refused_as_invalid(data: bytes) -> None:
    for read_as in (read_verify, read_lookup):
        try:
            read_as(data)
        except RequestInvalid as invalid:
            if not invalid.violations:
                pytest.fail("no field was named")


TEXT = st.text(max_size=61)


@given(
    given_claims=st.fixed_dictionaries(
        {},
        optional={
            "full_name": TEXT,
            "address": TEXT,
            "birth_date": st.dates().map(str) | TEXT,
            "rt": st.from_regex(r"[0-9]{0,4}", fullmatch=True),
            "village_code": st.from_regex(r"[0-9]{9,11}", fullmatch=True),
        },
    ),
    operator=TEXT,
)
def test_whatever_is_claimed_is_read_as_it_was_sent_or_its_field_is_named(
    given_claims: dict[str, str], operator: str
) -> None:
    request = verifying(claims=claims(**given_claims), operator=operator)
    try:
        query = read(request)
    except RequestInvalid as invalid:
        named = {field for field, _ in invalid.violations}
        assert named <= {"operator", "claims"} | {f"claims.{name}" for name in given_claims}
        return
    assert isinstance(query, VerifyQuery)
    assert query.operator == operator
    assert {name: str(value) for name, value in query.claims.items()} == given_claims
