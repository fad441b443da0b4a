"""What a caller asks: elements, claims about them, and the queries of each method."""

from __future__ import annotations

from datetime import date
from enum import StrEnum

import msgspec

from padan_server.domain.nik import Nik

VERIFY_ELEMENTS = (
    "full_name",
    "birth_place",
    "birth_date",
    "sex",
    "mother_name",
    "father_name",
    "family_card_number",
    "address",
    "rt",
    "rw",
    "province_code",
    "regency_code",
    "district_code",
    "village_code",
    "marital_status",
)
"""Elements that a claim can be about, in the order of the proto enum Element (from 1)."""

LOOKUP_ELEMENTS = (
    *VERIFY_ELEMENTS,
    "religion",
    "occupation",
    "education",
    "blood_type",
    "family_relation",
    "postal_code",
    "channel",
    "happened_at",
    "committed_at",
)
"""Elements that a lookup can name, in the order of the proto enum Element (from 1)."""

BORN_ON_OR_BEFORE = "born_on_or_before"
"""A predicate on the birth date; it needs a grant for `birth_date`."""

CLAIMS = (*VERIFY_ELEMENTS, BORN_ON_OR_BEFORE)
"""Names of claims in the contract's order, which is the order of their fields there."""


class Method(StrEnum):
    """The methods. An agreement grants those about people; the others need no grant."""

    VERIFY = "VERIFY"
    LOOKUP = "LOOKUP"
    LIST_REGIONS = "LIST_REGIONS"
    GET_REGION = "GET_REGION"


PERSON_METHODS = (Method.VERIFY, Method.LOOKUP)
"""The methods about people."""


class Consent(msgspec.Struct, frozen=True):
    """The person's consent as the caller holds it; `sha256` in hex, `given_at` RFC 3339, or ""."""

    reference: str
    sha256: str
    given_at: str


ClaimValue = str | int | date


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """What every method about a person asks. `request_id` is a UUIDv7 in text form."""

    nik: Nik
    purpose: str
    request_id: str
    consent: Consent | None
    case_reference: str
    operator: str
    max_staleness_seconds: float | None


class VerifyQuery(Query, frozen=True, kw_only=True):
    """Does this data agree with the record? `claims` by element, or BORN_ON_OR_BEFORE."""

    claims: dict[str, ClaimValue]

    @property
    def elements(self) -> tuple[str, ...]:
        """The elements that must be granted."""
        if BORN_ON_OR_BEFORE not in self.claims:
            return tuple(self.claims)
        return tuple("birth_date" if c == BORN_ON_OR_BEFORE else c for c in self.claims)


class LookupQuery(Query, frozen=True, kw_only=True):
    """What does the record say in these elements?"""

    elements: tuple[str, ...]


class RegionsQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which regions of a level lie in `parent`? `level` is "" for the one below the parent's.

    `page_token` is "" for the first page, or what the page before gave; `page_size` is 0 for as
    many as we choose.
    """

    parent: str
    level: str
    include_retired: bool
    page_size: int
    page_token: str


class RegionQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one region?"""

    code: str


AnyQuery = Query | RegionsQuery | RegionQuery
"""What any method asks."""
