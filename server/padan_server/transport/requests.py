"""Requests from bytes: parsed and validated against the annotated contract.

The annotated descriptors (padan_v1.binpb) live in a pool of their own, beside the stubs that
partners get, which carry no annotations.
"""

from __future__ import annotations

from importlib import resources
from typing import Any

import protovalidate
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.unknown_fields import UnknownFieldSet

from padan_server.domain.refusal import RequestInvalid

REQUEST_BYTES_MAX = 16 * 1024
"""Longest request: every field at its limit, in four-byte characters, takes under 4 KiB."""


class RequestParser:
    """Parses requests of one message type, by its name in the contract."""

    def __init__(
        self, name: str, *, pool: DescriptorPool, validator: protovalidate.Validator
    ) -> None:
        descriptor = pool.FindMessageTypeByName(f"padan.v1.{name}")
        self._parse: Any = GetMessageClass(descriptor).FromString
        self._validator = validator
        self._inner = _messages_in(descriptor)

    def parse(self, data: bytes) -> Any:
        """Give the message, not yet validated. Raises RequestInvalid if there is none.

        A field that this server does not know is refused: a claim must not go uncompared because
        the caller's contract is newer.
        """
        if len(data) > REQUEST_BYTES_MAX:
            raise RequestInvalid([("", f"the request is longer than {REQUEST_BYTES_MAX} bytes")])
        try:
            message = self._parse(data)
        except DecodeError as error:
            raise RequestInvalid([("", "the request is not a message of this method")]) from error
        unknown = _unknown(message, self._inner)
        if unknown:
            raise RequestInvalid(unknown)
        return message

    def validate(self, message: Any) -> None:
        """Check every rule of the contract. Raises RequestInvalid with each field at fault."""
        found = self._validator.collect_violations(message)
        if found:
            raise RequestInvalid([_violation(violation.proto) for violation in found])


def contract() -> tuple[DescriptorPool, protovalidate.Validator]:
    """Load the annotated contract."""
    data = resources.files(__package__).joinpath("padan_v1.binpb").read_bytes()
    pool = DescriptorPool()
    for file in FileDescriptorSet.FromString(data).file:
        pool.Add(file)
    return pool, protovalidate.Validator()


_PATTERNS = {
    "nik": "must be 16 digits",
    "request_id": "must be a UUIDv7 in lower case",
    "birth_date": "must be a date as YYYY-MM-DD",
    "born_on_or_before": "must be a date as YYYY-MM-DD",
    "family_card_number": "must be 16 digits",
    "rt": "must be 1 to 3 digits",
    "rw": "must be 1 to 3 digits",
    "province_code": "must be 2 digits",
    "regency_code": "must be 4 digits",
    "district_code": "must be 6 digits",
    "village_code": "must be 10 digits",
    "code": "must be ID, or 2, 4 or 6 digits",
    "parent": "must be ID, or 2, 4 or 6 digits",
}
"""What the contract's patterns mean; all others keep control and formatting characters out."""


def _violation(found: Any) -> tuple[str, str]:
    """Give a violation's path and rule, in words."""
    path = ".".join(element.field_name for element in found.field.elements)
    if found.rule_id == "bytes.len":
        return path, "must be 32 bytes, or empty"
    if found.rule_id == "string.pattern":
        name = path.rpartition(".")[2]
        return path, _PATTERNS.get(name, "must not hold control or formatting characters")
    return path, found.message


def _messages_in(descriptor: Any) -> tuple[str, ...]:
    """Name the fields of a request that hold one message each.

    What stands deeper (the time in a consent) is google.protobuf's: its messages get no new fields.
    """
    return tuple(f.name for f in descriptor.fields if f.message_type and not f.is_repeated)


def _unknown(message: Any, inner: tuple[str, ...]) -> list[tuple[str, str]]:
    """Find fields that this server does not know, in a request and the messages in it."""
    text = "holds a field that this server does not know"
    found = [("", text)] if len(UnknownFieldSet(message)) else []
    for name in inner:
        if message.HasField(name) and len(UnknownFieldSet(getattr(message, name))):
            found.append((name, text))
    return found
