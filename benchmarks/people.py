"""The requests to send: one for each person of the registry, without its request id.

They are written to a file once, by the parent; the load generator reads them and adds ids, which
must be new for each call.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from struct import Struct
from typing import Any, LiteralString

import psycopg

from benchmarks.http2 import grpc_message
from padan.v1 import record_pb2 as record_pb
from padan.v1 import verification_pb2 as pb
from padan_client.request_id import uuid7

MISMATCH_EVERY = 10
"""One person in so many is asked about under another birth place, and must not match."""

SEED = 20_250_101

SAMPLE_MARGIN = 1.05
"""A sample has about as many people as were asked for: rather too many."""

_HEAD = Struct(">BH")
_REQUEST_ID_TAG = bytes([pb.VerifyRequest.REQUEST_ID_FIELD_NUMBER << 3 | 2, 36])
"""The field's key and length on the wire: fields may stand in any order, so it goes last."""

_COLUMNS: LiteralString = (
    "nik, full_name, birth_place, birth_date, mother_name, life_status, record_status"
)
_EVERYONE: LiteralString = f"SELECT {_COLUMNS} FROM person ORDER BY nik"
_SAMPLE: LiteralString = (
    f"SELECT {_COLUMNS} FROM person TABLESAMPLE BERNOULLI (%s) REPEATABLE (1) ORDER BY nik"
)
_DECEASED, _INACTIVE, _DUPLICATE = 2, 2, 3


@dataclass(frozen=True, slots=True)
class Question:
    """A VerifyRequest without its request id, and the outcome that its answer must have."""

    message: bytes
    outcome: int


def read_registry(url: str) -> list[Question]:
    """Ask about everyone in a registry, in an order that looks random and is always the same."""
    return _read(url, _EVERYONE)


def read_sample(url: str, *, count: int, people: int) -> list[Question]:
    """Ask about so many of a registry's people, in such an order, spread over the whole table.

    `people` is how many there are. A few may be missing from `count`: the sample is a random one.
    """
    percent = min(100.0, 100 * SAMPLE_MARGIN * count / people)
    return _read(url, _SAMPLE, percent)[:count]


def _read(url: str, query: LiteralString, *parameters: float) -> list[Question]:
    with psycopg.connect(url) as connection:
        rows = connection.execute(query, parameters).fetchall()
    random.Random(SEED).shuffle(rows)
    return [question(number, *row) for number, row in enumerate(rows)]


def nik_of(asked: Question) -> str:
    """Give the NIK that a question is about."""
    return pb.VerifyRequest.FromString(asked.message).nik


def question(
    number: int,
    nik: str,
    full_name: str,
    birth_place: str,
    birth_date: Any,
    mother_name: str | None,
    life_status: int,
    record_status: int,
) -> Question:
    """Ask about one person as a bank does: four claims, a case, an operator."""
    wrong = number % MISMATCH_EVERY == MISMATCH_EVERY - 1
    claims = record_pb.Claims(
        full_name=full_name,
        birth_place="TEMPAT LAIN" if wrong else birth_place,
        birth_date=str(birth_date),
    )
    if mother_name is not None:
        claims.mother_name = mother_name
    request = pb.VerifyRequest(
        nik=nik,
        claims=claims,
        purpose=pb.PURPOSE_ACCOUNT_OPENING,
        case_reference=f"case-{number:08}",
        operator=f"teller-{number % 97:02}",
    )
    if record_status == _DUPLICATE:
        outcome = pb.OUTCOME_DUPLICATE
    elif life_status == _DECEASED:
        outcome = pb.OUTCOME_DECEASED
    elif record_status == _INACTIVE:
        outcome = pb.OUTCOME_INACTIVE
    else:
        outcome = pb.OUTCOME_MISMATCHED if wrong else pb.OUTCOME_MATCHED
    return Question(request.SerializeToString(), int(outcome))


def write(path: Path, questions: Iterable[Question]) -> None:
    """Write questions to a file."""
    with path.open("wb") as file:
        for asked in questions:
            file.write(_HEAD.pack(asked.outcome, len(asked.message)) + asked.message)


def read(path: Path) -> list[Question]:
    """Read all questions of a file."""
    return list(_questions(path.read_bytes()))


def _questions(data: bytes) -> Iterator[Question]:
    at = 0
    while at < len(data):
        outcome, size = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        yield Question(data[at : at + size], outcome)
        at += size


def call(asked: Question, *, unix_milliseconds: int, randomness: bytes) -> bytes:
    """Make a call's message, in gRPC's framing, under an id of its own."""
    request_id = uuid7(unix_milliseconds=unix_milliseconds, randomness=randomness)
    return grpc_message(asked.message + _REQUEST_ID_TAG + request_id.encode())
