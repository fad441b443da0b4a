"""From Python values to request messages. The service's rules are checked by the service.

What cannot be put into a message at all raises RequestInvalid, as the service's own check does,
naming the field and never its value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TypedDict, TypeVar
from uuid import UUID

from google.protobuf.descriptor import EnumDescriptor
from google.protobuf.message import Message

from padan.v1 import record_pb2, verification_pb2
from padan_client.errors import RequestInvalid
from padan_client.request_id import new_request_id
from padan_client.vocabulary import MaritalStatus, Purpose, Sex


class Claims(TypedDict, total=False):
    """What the caller says about a person; only what is given is compared."""

    full_name: str
    birth_place: str
    birth_date: date | str
    sex: Sex | str
    mother_name: str
    father_name: str
    family_card_number: str
    address: str
    rt: str
    rw: str
    province_code: str
    regency_code: str
    district_code: str
    village_code: str
    marital_status: MaritalStatus | str
    born_on_or_before: date | str


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """The person's consent as the caller holds it; `sha256` is the document's hash, 32 bytes."""

    reference: str = field(repr=False)
    sha256: bytes = b""
    given_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What every request states beside its question."""

    purpose: Purpose | str
    consent: Consent | None
    case_reference: str
    operator: str
    max_staleness: timedelta | None
    request_id: str | UUID | None


_DATES = frozenset({"birth_date", "born_on_or_before"})
_ENUMS: Mapping[str, tuple[EnumDescriptor, str]] = {
    "sex": (record_pb2.Sex.DESCRIPTOR, "SEX_"),
    "marital_status": (record_pb2.MaritalStatus.DESCRIPTOR, "MARITAL_STATUS_"),
}

_Request = TypeVar("_Request", verification_pb2.VerifyRequest, verification_pb2.LookupRequest)


def verify_request(
    nik: str, claims: Mapping[str, object], more: Mapping[str, object], about: Circumstances
) -> verification_pb2.VerifyRequest:
    """Build a VerifyRequest from claims given as a mapping and as keywords."""
    request = _begin(verification_pb2.VerifyRequest(), about)
    invalid = _Violations(request.request_id)
    _put(request, "nik", nik, invalid, path="nik")
    for name in claims.keys() & more.keys():
        invalid.add(f"claims.{name}", "is given twice")
    for name, value in {**claims, **more}.items():
        _put_claim(request.claims, name, value, invalid)
    _put_circumstances(request, about, invalid)
    invalid.raise_any()
    return request


def lookup_request(
    nik: str, read_mask: Iterable[str], about: Circumstances
) -> verification_pb2.LookupRequest:
    """Build a LookupRequest; `read_mask` names elements of a record."""
    request = _begin(verification_pb2.LookupRequest(), about)
    invalid = _Violations(request.request_id)
    _put(request, "nik", nik, invalid, path="nik")
    try:
        # A lone name is a sequence of letters, and surely not meant as one.
        names = [read_mask] if isinstance(read_mask, str) else read_mask
        request.read_mask.paths.extend(str(name) for name in names)
    except (TypeError, ValueError):
        invalid.add("read_mask", "must be names of elements")
    _put_circumstances(request, about, invalid)
    invalid.raise_any()
    return request


class _Violations:
    """The fields found invalid, so that the caller hears of all of them at once."""

    def __init__(self, request_id: str) -> None:
        self._request_id = request_id
        self._fields: dict[str, str] = {}

    def add(self, path: str, rule: str) -> None:
        self._fields[path] = rule

    def raise_any(self) -> None:
        if self._fields:
            raise RequestInvalid(fields=self._fields, request_id=self._request_id)


def _begin(request: _Request, about: Circumstances) -> _Request:
    """Set the request id first, so that every error can tell it."""
    given = about.request_id
    request_id = new_request_id() if given is None else str(given)
    try:
        request.request_id = request_id
    except ValueError:
        raise RequestInvalid(fields={"request_id": "must be a UUIDv7"}) from None
    return request


def _put_circumstances(
    request: verification_pb2.VerifyRequest | verification_pb2.LookupRequest,
    about: Circumstances,
    invalid: _Violations,
) -> None:
    purpose = _number(verification_pb2.Purpose.DESCRIPTOR, "PURPOSE_", about.purpose)
    if purpose is None:
        invalid.add("purpose", f"must be one of {', '.join(Purpose)}")
    else:
        _put(request, "purpose", purpose, invalid, path="purpose")
    _put(request, "case_reference", about.case_reference, invalid, path="case_reference")
    _put(request, "operator", about.operator, invalid, path="operator")
    if about.max_staleness is not None:
        try:
            request.max_staleness.FromTimedelta(about.max_staleness)
        except (AttributeError, TypeError, ValueError):
            invalid.add("max_staleness", "must be a timedelta")
    if about.consent is not None:
        _put_consent(request.consent, about.consent, invalid)


def _put_consent(message: verification_pb2.Consent, consent: Consent, invalid: _Violations) -> None:
    _put(message, "reference", consent.reference, invalid, path="consent.reference")
    _put(message, "sha256", consent.sha256, invalid, path="consent.sha256")
    if consent.given_at is None:
        return
    if consent.given_at.tzinfo is None:
        invalid.add("consent.given_at", "must have a time zone")
    else:
        message.given_at.FromDatetime(consent.given_at.astimezone(UTC))


def _put_claim(claims: record_pb2.Claims, name: str, value: object, invalid: _Violations) -> None:
    path = f"claims.{name}"
    if name not in record_pb2.Claims.DESCRIPTOR.fields_by_name:
        invalid.add(path, "is no claim that can be made")
        return
    if value is None:
        # Leaving it out in silence would compare less than the caller believes.
        invalid.add(path, "is None; leave it out if it is not to be compared")
        return
    if name in _DATES and isinstance(value, date) and not isinstance(value, datetime):
        value = value.isoformat()
    elif name in _ENUMS:
        names, prefix = _ENUMS[name]
        value = _number(names, prefix, value)
        if value is None:
            allowed = ", ".join(each.removeprefix(prefix) for each in _sent_names(names))
            invalid.add(path, f"must be one of {allowed}")
            return
    _put(claims, name, value, invalid, path=path)


def _put(message: Message, name: str, value: object, invalid: _Violations, *, path: str) -> None:
    try:
        setattr(message, name, value)
    except (TypeError, ValueError):
        # The driver's text quotes the value.
        kind = "bytes" if name == "sha256" else "text in valid Unicode"
        invalid.add(path, f"must be {'a date, or ' if name in _DATES else ''}{kind}")


def _number(names: EnumDescriptor, prefix: str, value: object) -> int | None:
    """Give the number of an enum's value by its name; None if there is no such name."""
    if not isinstance(value, str):
        return None
    known = names.values_by_name.get(f"{prefix}{value.removeprefix(prefix)}")
    # Zero is the value that is never sent.
    return known.number or None if known else None


def _sent_names(names: EnumDescriptor) -> list[str]:
    return [value.name for value in names.values if value.number]
