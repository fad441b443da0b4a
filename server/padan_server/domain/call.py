"""One call on its way through the pipeline: what came with it, and what went back."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Generic, TypeVar

import msgspec

J = TypeVar("J")
"""What a method makes of its query: a Judgement about a person, or a Listing of regions."""


class Call(msgspec.Struct, frozen=True):
    """What came with a request: the authorization header ("" if none) and the peer's address.

    `peer` is an address without a port, or "" where it is not known.
    """

    authorization: str
    peer: str


class Answered(msgspec.Struct, Generic[J], frozen=True):
    """What goes back: the judgement, and what the ledger says of it.

    `subject_token` is "" where the call was about no person. `time` is the entry's, in microseconds
    since the epoch. `day_left` and `month_left` are -1 where the agreement sets no limit. For a
    replay, `index` and `time` are the first call's.
    """

    judgement: J
    subject_token: str
    log: str
    index: int
    time: int
    statement_salt: bytes
    charged: bool
    day_left: int
    month_left: int
    replayed: bool


@lru_cache(maxsize=4096)
def network_class(peer: str) -> str:
    """Classify a peer's address as entries do: LOOPBACK, PRIVATE, PUBLIC, LOCAL or UNKNOWN."""
    if peer == "unix":
        return "LOCAL"
    try:
        address = ip_address(peer)
    except ValueError:
        return "UNKNOWN"
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped  # how a listener of both families shows callers of version 4
    if address.is_loopback:
        return "LOOPBACK"
    return "PRIVATE" if address.is_private else "PUBLIC"
