"""What a call gives: frozen values with Python enums, dates and aware UTC times.

Their repr holds no value of the registry and no secret, so that they can be logged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date, datetime, timedelta

from padan.v1.verification_pb2 import LookupResponse, VerifyResponse
from padan_client.vocabulary import (
    Channel,
    FieldResult,
    MaritalStatus,
    MatchRule,
    Outcome,
    Sex,
    Signal,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldVerdict:
    """How one claim compares: `score_band` is the lower end of the band of its similarity."""

    result: FieldResult
    score_band: int
    rules: tuple[MatchRule, ...]

    @property
    def matched(self) -> bool:
        """Whether the claim agrees with the record."""
        return self.result is FieldResult.MATCH


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetsLeft:
    """Calls left in each window (calendar day and month, Asia/Jakarta); None if unbounded."""

    day: int | None
    month: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryReference:
    """Where the ledger holds the entry of the call; `statement_salt` proves it: keep it."""

    log: str
    index: int
    time: datetime | None
    statement_salt: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """The elements of a record that a lookup asked for; None where not asked or not on record.

    Codes (religion, occupation, ...) are SIAK's. `channel`, `happened_at` (in the field) and
    `committed_at` (in the registry) are the last change's. The repr names the elements, never
    their values.
    """

    full_name: str | None = None
    birth_place: str | None = None
    birth_date: date | None = None
    sex: Sex | None = None
    mother_name: str | None = None
    father_name: str | None = None
    family_card_number: str | None = None
    address: str | None = None
    rt: str | None = None
    rw: str | None = None
    province_code: str | None = None
    regency_code: str | None = None
    district_code: str | None = None
    village_code: str | None = None
    marital_status: MaritalStatus | None = None
    religion: int | None = None
    occupation: int | None = None
    education: int | None = None
    blood_type: int | None = None
    family_relation: int | None = None
    postal_code: str | None = None
    channel: Channel | None = None
    happened_at: datetime | None = None
    committed_at: datetime | None = None

    def elements(self) -> dict[str, str | int | date]:
        """Give the elements that are set, by name."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: value for name, value in values.items() if value is not None}

    def __repr__(self) -> str:
        return f"Person({', '.join(self.elements())})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What every call answers.

    `as_of`: the data is at least as new as this. `received_at`: when the answer came, by this
    machine's clock. `billable`: whether this call was charged. `replayed`: the request id had been
    answered before. `subject_token`: a pseudonym of the person, the partner's own. `retry_after`:
    for NOT_YET_REPLICATED, when to ask again.
    """

    request_id: str
    outcome: Outcome
    signals: tuple[Signal, ...]
    as_of: datetime | None
    received_at: datetime
    billable: bool
    replayed: bool
    budgets_left: BudgetsLeft
    subject_token: str
    entry: EntryReference | None
    retry_after: timedelta | None

    @property
    def age(self) -> timedelta | None:
        """How old the data was, at most, when the answer came."""
        return None if self.as_of is None else self.received_at - self.as_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification(Answer):
    """The answer to a verify: `fields` by claim name. True in a condition only if it matched."""

    fields: Mapping[str, FieldVerdict]
    message: VerifyResponse = field(repr=False)

    @property
    def matched(self) -> bool:
        """Whether every claim agrees with the record of a living person."""
        return self.outcome is Outcome.MATCHED

    def __bool__(self) -> bool:
        return self.matched


@dataclass(frozen=True, slots=True, kw_only=True)
class LookupResult(Answer):
    """The answer to a lookup. True in a condition only if the record was found."""

    person: Person
    message: LookupResponse = field(repr=False)

    @property
    def found(self) -> bool:
        """Whether the record stands there, of a living person."""
        return self.outcome is Outcome.FOUND

    def __bool__(self) -> bool:
        return self.found
