"""Ordinary requests, read and judged in one pass.

The rules of requests are the contract's annotations, and protovalidate is their judge. It costs as
much as all other work on a request; so what plainly keeps every rule is read here at once, and
everything else is validated and then read by `convert`. A test holds that what is read here is
valid, and reads the same there.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Any

from padan_server.domain.agreement import PURPOSES
from padan_server.domain.claims import ClaimValue, VerifyQuery
from padan_server.domain.nik import MalformedNik, parse

_REQUEST_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_NAMES = frozenset({"full_name", "birth_place", "mother_name", "father_name"})
_NAME_MAX = 60
_DATE_LENGTH = 10
_REFERENCE_MAX = 100


def verify_query(message: Any) -> VerifyQuery | None:
    """Read an ordinary VerifyRequest: names and birth date, and no consent; else give None."""
    request_id, purpose = message.request_id, message.purpose
    operator, case_reference = message.operator, message.case_reference
    if (
        _REQUEST_ID.fullmatch(request_id) is None
        or not 0 < purpose <= len(PURPOSES)
        or not _is_reference(operator)
        or not _is_reference(case_reference)
        or message.HasField("consent")
        or message.HasField("max_staleness")
    ):
        return None
    claims: dict[str, ClaimValue] = {}
    for field, value in message.claims.ListFields():
        name = field.name
        if name in _NAMES:
            if len(value) > _NAME_MAX or not value.isprintable() or not value.strip():
                return None
            claims[name] = value
        elif name == "birth_date" and len(value) == _DATE_LENGTH and value[4] == value[7] == "-":
            try:
                claims[name] = date.fromisoformat(value)
            except ValueError:
                return None
        else:
            return None
    if not claims:
        return None
    try:
        nik = parse(message.nik)
    except MalformedNik:
        return None
    return VerifyQuery(
        nik=nik,
        purpose=PURPOSES[purpose - 1],
        request_id=request_id,
        consent=None,
        case_reference=case_reference,
        operator=operator,
        max_staleness_seconds=None,
        claims=claims,
    )


def _is_reference(text: str) -> bool:
    return not text or (len(text) <= _REFERENCE_MAX and text.isprintable())
