"""From answer messages to Python values. Nothing here judges: it only translates."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any, TypeVar

from google.protobuf.descriptor import EnumDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from padan.v1 import record_pb2, verification_pb2
from padan_client.errors import ServiceFault
from padan_client.results import (
    BudgetsLeft,
    EntryReference,
    FieldVerdict,
    LookupResult,
    Person,
    Verification,
)
from padan_client.vocabulary import (
    Channel,
    FieldResult,
    MaritalStatus,
    MatchRule,
    Outcome,
    Sex,
    Signal,
)

BORN_ON_OR_BEFORE = "born_on_or_before"

_Named = TypeVar("_Named", bound=StrEnum)
_Response = verification_pb2.VerifyResponse | verification_pb2.LookupResponse


def verification_of(
    message: verification_pb2.VerifyResponse, *, request_id: str, received_at: datetime
) -> Verification:
    """Read the answer to a verify. Raises ServiceFault if it breaks the contract."""
    verdicts = {_claim_name(verdict): _verdict(verdict) for verdict in message.fields}
    return Verification(
        fields=MappingProxyType(verdicts),
        message=message,
        **_common(message, request_id=request_id, received_at=received_at),
    )


def lookup_result_of(
    message: verification_pb2.LookupResponse, *, request_id: str, received_at: datetime
) -> LookupResult:
    """Read the answer to a lookup. Raises ServiceFault if it breaks the contract."""
    return LookupResult(
        person=_person(message.person, request_id=request_id),
        message=message,
        **_common(message, request_id=request_id, received_at=received_at),
    )


def _common(message: _Response, *, request_id: str, received_at: datetime) -> dict[str, Any]:
    left = message.budgets_left
    return {
        "request_id": request_id,
        "outcome": _OUTCOMES.get(message.outcome, Outcome.UNRECOGNISED),
        "signals": tuple(_SIGNALS.get(each, Signal.UNRECOGNISED) for each in message.signals),
        "as_of": time_of(message.as_of) if message.HasField("as_of") else None,
        "received_at": received_at,
        "billable": message.billable,
        "replayed": message.replayed,
        "budgets_left": BudgetsLeft(
            day=left.day if left.HasField("day") else None,
            month=left.month if left.HasField("month") else None,
        ),
        "subject_token": message.subject_token,
        "entry": entry_of(message.entry) if message.HasField("entry") else None,
        "retry_after": _wait(message.retry_after) if message.HasField("retry_after") else None,
    }


def entry_of(entry: verification_pb2.EntryReference) -> EntryReference:
    """Read where the entry of a call stands."""
    return EntryReference(
        log=entry.log,
        index=entry.index,
        time=time_of(entry.time) if entry.HasField("time") else None,
        statement_salt=entry.statement_salt,
    )


def _claim_name(verdict: verification_pb2.FieldVerdict) -> str:
    if verdict.predicate:
        return BORN_ON_OR_BEFORE
    element = record_pb2.Element.DESCRIPTOR.values_by_number.get(verdict.element)
    if element is None:
        return f"element_{verdict.element}"
    return element.name.removeprefix("ELEMENT_").lower()


def _verdict(verdict: verification_pb2.FieldVerdict) -> FieldVerdict:
    return FieldVerdict(
        result=_FIELD_RESULTS.get(verdict.result, FieldResult.UNRECOGNISED),
        score_band=verdict.score_band,
        rules=tuple(_MATCH_RULES.get(rule, MatchRule.UNRECOGNISED) for rule in verdict.rules),
    )


def _person(person: record_pb2.Person, *, request_id: str) -> Person:
    values: dict[str, Any] = {each.name: value for each, value in person.ListFields()}
    if "birth_date" in values:
        try:
            values["birth_date"] = date.fromisoformat(values["birth_date"])
        except ValueError:
            raise ServiceFault(
                "the answer's birth_date is no date", reason="ANSWER_INVALID", request_id=request_id
            ) from None
    for name in ("happened_at", "committed_at"):
        if name in values:
            values[name] = time_of(values[name])
    if "channel" in values:
        values["channel"] = CHANNELS.get(person.channel, Channel.UNRECOGNISED)
    values["sex"] = _SEXES.get(person.sex)
    values["marital_status"] = _MARITAL_STATUSES.get(person.marital_status)
    return Person(**values)


def time_of(timestamp: Timestamp) -> datetime:
    """Read a moment, in UTC."""
    return timestamp.ToDatetime(tzinfo=UTC)


def _wait(duration: Duration) -> timedelta:
    return duration.ToTimedelta()


def members(kind: type[_Named], descriptor: EnumDescriptor, prefix: str) -> Mapping[int, _Named]:
    """Pair the numbers of a proto enum with the members of the Python one."""
    known = {member.value: member for member in kind}
    names = {value.number: value.name.removeprefix(prefix) for value in descriptor.values}
    return {number: known[name] for number, name in names.items() if name in known}


_OUTCOMES = members(Outcome, verification_pb2.Outcome.DESCRIPTOR, "OUTCOME_")
_FIELD_RESULTS = members(FieldResult, verification_pb2.FieldResult.DESCRIPTOR, "FIELD_RESULT_")
_MATCH_RULES = members(MatchRule, verification_pb2.MatchRule.DESCRIPTOR, "MATCH_RULE_")
_SIGNALS = members(Signal, verification_pb2.Signal.DESCRIPTOR, "SIGNAL_")
_SEXES = members(Sex, record_pb2.Sex.DESCRIPTOR, "SEX_")
_MARITAL_STATUSES = members(MaritalStatus, record_pb2.MaritalStatus.DESCRIPTOR, "MARITAL_STATUS_")
CHANNELS = members(Channel, record_pb2.Channel.DESCRIPTOR, "CHANNEL_")
