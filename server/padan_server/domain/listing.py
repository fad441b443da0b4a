"""Listings of regions: what is told of each, and the tokens by which pages follow one another."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256

import msgspec

from padan_server.domain import canonical
from padan_server.domain.claims import RegionsQuery
from padan_server.domain.coverage import Summary
from padan_server.domain.region import Region

PAGE_SIZE_DEFAULT = 100
PAGE_SIZE_MAX = 1000
"""Regions on one page: more than there are regencies, and under half a megabyte."""

_BINDING_BYTES = 8
_TOKEN_CHARACTERS_MAX = 32


class RegionReport(msgspec.Struct, frozen=True):
    """A region, whether it is retired, and how complete its records are.

    `coverage` is None for districts and for retired regions.
    """

    region: Region
    retired: bool
    coverage: Summary | None


class Listing(msgspec.Struct, frozen=True):
    """Regions in the order of their codes. `as_of` is the coverage's, in seconds since the epoch.

    `next_page_token` is "" where nothing follows.
    """

    as_of: float
    regions: tuple[RegionReport, ...]
    next_page_token: str = ""


def token_after(query: RegionsQuery, code: str) -> str:
    """Give the token of the page that begins after a region. It holds no secret."""
    return urlsafe_b64encode(_binding(query) + code.encode("ascii")).decode("ascii").rstrip("=")


def code_before(query: RegionsQuery) -> str:
    """Give the code that the query's page follows; "" for the first page.

    Raises ValueError if its token is not one of this question's pages.
    """
    token = query.page_token
    if not token:
        return ""
    if len(token) > _TOKEN_CHARACTERS_MAX:
        raise ValueError("too long")
    decoded = urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
    code = decoded[_BINDING_BYTES:].decode("ascii")
    if token != token_after(query, code):
        raise ValueError("another question's token")
    return code


def _binding(query: RegionsQuery) -> bytes:
    """Bind a token to its question; the size of pages may change from one to the next."""
    question = {"level": query.level, "parent": query.parent, "retired": query.include_retired}
    return sha256(canonical.dumps(question)).digest()[:_BINDING_BYTES]
