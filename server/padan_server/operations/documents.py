"""The JSON documents of a call: what is asked and answered, in entries, statements and seals.

Their fields are docs/entry.md's. Every function gives canonical bytes.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from padan_server.domain import canonical, entry
from padan_server.domain.call import Call, network_class
from padan_server.domain.claims import CLAIMS, LookupQuery, Query, VerifyQuery
from padan_server.domain.matching import MATCHER_VERSION, Comparison
from padan_server.domain.nik import regency
from padan_server.domain.outcome import Judgement
from padan_server.domain.person import Record


@lru_cache(maxsize=1024)
def as_of_text(seconds: float) -> str:
    """Write an `as_of`; many answers share one."""
    return entry.timestamp(round(seconds * 1_000_000))


def personal(call: Call, query: Query | None) -> bytes:
    """What is sealed beside the tree."""
    document: dict[str, Any] = {"peer": call.peer}
    if query is not None:
        document["nik"] = query.nik
        if query.operator:
            document["operator"] = query.operator
        if query.case_reference:
            document["case_reference"] = query.case_reference
        if query.consent is not None:
            document["consent_reference"] = query.consent.reference
            if query.consent.sha256:
                document["consent_sha256"] = query.consent.sha256
            if query.consent.given_at:
                document["consent_given_at"] = query.consent.given_at
    return canonical.dumps(document)


def ask(
    call: Call,
    *,
    method: str,
    key_id: str,
    agreement_version: int,
    query: Query | None,
    personal_commitment: bytes,
) -> bytes:
    """The entry's `ask`. Empty strings and 0 stand for what is not known."""
    elements = () if query is None else _elements(query)
    consent = query is not None and query.consent is not None
    network = network_class(call.peer)
    begin = _ask_begin(agreement_version, consent, elements, key_id, method, network)
    commitment = entry.base64(personal_commitment)
    if query is None:
        return b'%b"%b"}' % (begin, commitment.encode())
    # In canonical order, of values that need no escape.
    return begin + (
        f'"{commitment}","purpose":"{query.purpose}","regency":"{regency(query.nik)}",'
        f'"request_id":"{query.request_id}"}}'
    ).encode("ascii")


@lru_cache(maxsize=4096)
def _ask_begin(
    agreement_version: int,
    consent: bool,
    elements: tuple[str, ...],
    key_id: str,
    method: str,
    network: str,
) -> bytes:
    """The part of `ask` that many calls of a partner share, up to the value of `personal`."""
    document: dict[str, Any] = {"network": network, "personal": ""}
    if agreement_version:
        document["agreement_version"] = agreement_version
    if consent:
        document["consent"] = True
    if elements:
        document["elements"] = elements
    if key_id:
        document["key_id"] = key_id
    if method:
        document["method"] = method
    return canonical.dumps(document).removesuffix(b'""}')


def request(partner: str, method: str, query: Query) -> bytes:
    """The statement's `request`, and the content that binds a request_id."""
    document: dict[str, Any] = {
        "method": method,
        "nik": query.nik,
        "partner": partner,
        "purpose": query.purpose,
        "request_id": query.request_id,
    }
    if isinstance(query, VerifyQuery):
        document["claims"] = query.claims
    elif isinstance(query, LookupQuery):
        document["elements"] = query.elements
    if query.operator:
        document["operator"] = query.operator
    if query.case_reference:
        document["case_reference"] = query.case_reference
    if query.max_staleness_seconds is not None:
        document["max_staleness_ms"] = round(query.max_staleness_seconds * 1000)
    if query.consent is not None:
        document["consent"] = {
            "reference": query.consent.reference,
            "sha256": query.consent.sha256,
            "given_at": query.consent.given_at,
        }
    return canonical.dumps(document)


def answer(judgement: Judgement) -> bytes:
    """What was answered, without the commitment to it: see `recorded` and `told`."""
    document: dict[str, Any] = {"as_of": as_of_text(judgement.as_of), "outcome": judgement.outcome}
    if judgement.fields:
        document["fields"] = {n: (c.result, c.band, c.rules) for n, c in judgement.fields.items()}
        document["matcher"] = MATCHER_VERSION
    if judgement.record is not None:
        document["record_version"] = judgement.record.version
    if judgement.retry_after_seconds:
        document["retry_after_seconds"] = round(judgement.retry_after_seconds)
    if judgement.signals:
        document["signals"] = judgement.signals
    return canonical.dumps(document)


def recorded(answer: bytes, statement: bytes) -> bytes:
    """The entry's `answer`: with the commitment, which is its last field in canonical order."""
    return b'%b,"statement":"%b"}' % (answer[:-1], entry.base64(statement).encode())


def told(answer: bytes, subject_token: str, person: dict[str, Any] | None) -> bytes:
    """The statement's `answer`: what the caller is told. `person` is a Lookup's values."""
    if person is None:
        return b'%b,"subject_token":"%b"}' % (answer[:-1], subject_token.encode())
    document = canonical.loads(answer)
    return canonical.dumps(document | {"person": person, "subject_token": subject_token})


def told_again(document: bytes) -> tuple[Judgement, str]:
    """Read what `told` wrote: the judgement, without a Lookup's values, and the subject token."""
    value = canonical.loads(document)
    told = value.get("fields", {})
    fields = {}
    for name in CLAIMS:
        if name in told:
            result, band, rules = told[name]
            fields[name] = Comparison(result, band, tuple(rules))
    return (
        Judgement(
            outcome=value["outcome"],
            as_of=entry.seconds(value["as_of"]),
            billable=False,
            fields=fields,
            signals=tuple(value.get("signals", ())),
        ),
        value["subject_token"],
    )


def tells_of(document: bytes, judgement: Judgement) -> bool:
    """Tell whether what `told` wrote has the outcome and the record version of a judgement."""
    value = canonical.loads(document)
    version = judgement.record.version if judgement.record is not None else None
    return bool(value["outcome"] == judgement.outcome and value.get("record_version") == version)


def person(record: Record, elements: tuple[str, ...]) -> dict[str, Any]:
    """Give the elements of a record that are asked for and on record, by name."""
    values = {name: _read(record, name) for name in elements}
    return {name: value for name, value in values.items() if value}


TIMES = frozenset({"happened_at", "committed_at"})
"""Elements that are moments: the last change's."""

_REGION_DIGITS = {"province_code": 2, "regency_code": 4, "district_code": 6, "village_code": 10}


def _read(record: Record, element: str) -> str | int:
    digits = _REGION_DIGITS.get(element)
    if digits is not None:
        code = record.village_code
        return code[:digits] if len(code) >= digits else ""
    if element == "birth_date":
        return record.birth_date.isoformat()
    if element in TIMES:
        seconds: float = getattr(record, element)
        return entry.timestamp(round(seconds * 1_000_000)) if seconds else ""
    value: str | int = getattr(record, element)
    return value


def _elements(query: Query) -> tuple[str, ...]:
    if isinstance(query, VerifyQuery):
        return tuple(query.claims)
    if isinstance(query, LookupQuery):
        return query.elements
    return ()
