"""Conversion between the contract and the domain; nowhere else."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from padan.v1 import record_pb2 as record_pb
from padan.v1 import verification_pb2 as pb
from padan_server.domain import nik as niks
from padan_server.domain.agreement import PURPOSES
from padan_server.domain.call import Answered
from padan_server.domain.claims import (
    BORN_ON_OR_BEFORE,
    LOOKUP_ELEMENTS,
    ClaimValue,
    Consent,
    LookupQuery,
    VerifyQuery,
)
from padan_server.domain.matching import Comparison
from padan_server.domain.outcome import Judgement
from padan_server.domain.person import Record
from padan_server.domain.refusal import RequestInvalid
from padan_server.operations import documents
from padan_server.operations.lookup import GIVES_VALUES

_DATES = frozenset({"birth_date", BORN_ON_OR_BEFORE})
_ELEMENT_NUMBER = {name: number for number, name in enumerate(LOOKUP_ELEMENTS, start=1)}
_OUTCOME = {name.removeprefix("OUTCOME_"): number for name, number in pb.Outcome.items()}
_SIGNAL = {name.removeprefix("SIGNAL_"): number for name, number in pb.Signal.items()}
_RESULT = {name.removeprefix("FIELD_RESULT_"): number for name, number in pb.FieldResult.items()}
CHANNEL = {
    name.removeprefix("CHANNEL_"): number for name, number in record_pb.Channel.items() if number
}
"""Numbers of the channels, in the contract's order."""

_RULE = {name.removeprefix("MATCH_RULE_"): number for name, number in pb.MatchRule.items()}


def verify_query(message: Any) -> VerifyQuery:
    """Read a validated VerifyRequest. Raises RequestInvalid."""
    violations: list[tuple[str, str]] = []
    claims: dict[str, ClaimValue] = {}
    for field, value in message.claims.ListFields():
        name = field.name
        if name in _DATES:
            day = _date(value)
            if day is None:
                violations.append((f"claims.{name}", "must be a day of the calendar"))
            else:
                claims[name] = day
        elif isinstance(value, str) and not value.strip():
            violations.append((f"claims.{name}", "must not be blank"))
        else:
            claims[name] = value
    if not claims and not violations:
        violations.append(("claims", "must hold at least one claim"))
    common = _common(message, violations)
    return VerifyQuery(claims=claims, **common)


def lookup_query(message: Any) -> LookupQuery:
    """Read a validated LookupRequest. Raises RequestInvalid."""
    violations: list[tuple[str, str]] = []
    wanted = set(message.read_mask.paths)
    elements = tuple(name for name in LOOKUP_ELEMENTS if name in wanted)
    if not wanted:
        violations.append(("read_mask", "must name at least one element"))
    elif len(elements) != len(wanted):
        violations.append(("read_mask", "names something that is no field of Person"))
    common = _common(message, violations)
    return LookupQuery(elements=elements, **common)


def verify_response(answered: Answered[Judgement]) -> bytes:
    """Write the answer to a Verify, serialised.

    Serialised messages that follow one another merge (protobuf's encoding), so that the verdicts,
    which many answers share, are written once.
    """
    response = pb.VerifyResponse()
    _write_common(response, answered)
    return response.SerializeToString() + _verdicts(tuple(answered.judgement.fields.items()))


def lookup_response(answered: Answered[Judgement], elements: tuple[str, ...]) -> pb.LookupResponse:
    """Write the answer to a Lookup of elements."""
    response = pb.LookupResponse()
    judgement = answered.judgement
    if judgement.record is not None and judgement.outcome in GIVES_VALUES:
        response.person.CopyFrom(_person(judgement.record, elements))
    _write_common(response, answered)
    return response


def _person(record: Record, elements: tuple[str, ...]) -> record_pb.Person:
    values: dict[str, Any] = documents.person(record, elements)
    if "channel" in values:
        values["channel"] = CHANNEL.get(values["channel"])
    moments = {name: getattr(record, name) for name in documents.TIMES & values.keys()}
    person = record_pb.Person(**{n: value for n, value in values.items() if n not in moments})
    for name, seconds in moments.items():
        write_moment(getattr(person, name), round(seconds * 1_000_000))
    return person


def _common(message: Any, violations: list[tuple[str, str]]) -> dict[str, Any]:
    """Read what every request has. Raises RequestInvalid with all violations."""
    try:
        nik = niks.parse(message.nik)
    except niks.MalformedNik as error:
        violations.append(("nik", str(error)))
    if violations:
        raise RequestInvalid(violations)
    consent = None
    if message.HasField("consent"):
        given = message.consent
        consent = Consent(
            given.reference,
            given.sha256.hex(),
            _moment(given.given_at) if given.HasField("given_at") else "",
        )
    staleness = None
    if message.HasField("max_staleness"):
        staleness = message.max_staleness.seconds + message.max_staleness.nanos / 1e9
    return {
        "nik": nik,
        "purpose": PURPOSES[message.purpose - 1],
        "request_id": message.request_id,
        "consent": consent,
        "case_reference": message.case_reference,
        "operator": message.operator,
        "max_staleness_seconds": staleness,
    }


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _moment(timestamp: Any) -> str:
    """Write a caller's timestamp to the second."""
    try:
        moment = datetime.fromtimestamp(timestamp.seconds, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise RequestInvalid([("consent.given_at", "must be a moment of the calendar")]) from error
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


@lru_cache(maxsize=4096)
def _verdicts(fields: tuple[tuple[str, Comparison], ...]) -> bytes:
    return pb.VerifyResponse(fields=[_verdict(*field) for field in fields]).SerializeToString()


def _verdict(name: str, comparison: Comparison) -> pb.FieldVerdict:
    predicate = name == BORN_ON_OR_BEFORE
    return pb.FieldVerdict(
        element=_ELEMENT_NUMBER["birth_date" if predicate else name],  # type: ignore[arg-type]
        result=_RESULT[comparison.result],
        score_band=comparison.band,
        rules=[_RULE[rule] for rule in comparison.rules],
        predicate=predicate,
    )


def _write_common(response: Any, answered: Answered[Judgement]) -> None:
    judgement = answered.judgement
    response.outcome = _OUTCOME[judgement.outcome]
    if judgement.signals:
        response.signals.extend([_SIGNAL[signal] for signal in judgement.signals])
    write_moment(response.as_of, round(judgement.as_of * 1_000_000))
    response.billable = answered.charged
    if answered.day_left >= 0:
        response.budgets_left.day = answered.day_left
    if answered.month_left >= 0:
        response.budgets_left.month = answered.month_left
    response.subject_token = answered.subject_token
    write_entry(response.entry, answered)
    if judgement.retry_after_seconds:
        response.retry_after.seconds = round(judgement.retry_after_seconds)
    if answered.replayed:
        response.replayed = True


def write_entry(reference: pb.EntryReference, answered: Answered[Any]) -> None:
    """Write where the entry of a call stands."""
    reference.log = answered.log
    reference.index = answered.index
    write_moment(reference.time, answered.time)
    reference.statement_salt = answered.statement_salt


def write_moment(timestamp: Timestamp, microseconds: int) -> None:
    """Write a moment, given in microseconds since the epoch."""
    seconds, rest = divmod(microseconds, 1_000_000)
    timestamp.seconds = seconds
    timestamp.nanos = rest * 1000
