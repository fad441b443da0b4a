"""From Python values to the registry's request messages."""

from __future__ import annotations

from padan.v1 import registry_pb2
from padan_client.errors import RequestInvalid
from padan_client.vocabulary import RegionLevel

PAGES_MAX = 10_000
"""Pages of one listing: more than there are regions."""

_LEVELS = {
    level: number
    for level in RegionLevel
    if (number := registry_pb2.RegionLevel.DESCRIPTOR.values_by_name.get(f"REGION_LEVEL_{level}"))
}


def regions_request(
    *,
    parent: str,
    level: RegionLevel | str | None,
    include_retired: bool,
    page_size: int,
    page_token: str,
) -> registry_pb2.ListRegionsRequest:
    """Build a ListRegionsRequest. Raises RequestInvalid for what cannot be sent."""
    request = registry_pb2.ListRegionsRequest(include_retired=include_retired)
    invalid: dict[str, str] = {}
    values = {"parent": parent, "page_size": page_size, "page_token": page_token}
    for name, value in values.items():
        try:
            setattr(request, name, value)
        except (TypeError, ValueError):
            invalid[name] = "must be a number" if name == "page_size" else "must be text"
    if level is not None:
        known = _LEVELS.get(level)  # type: ignore[call-overload]
        if known is None:
            allowed = ", ".join(_LEVELS)
            invalid["level"] = f"must be one of {allowed}"
        else:
            request.level = known.number
    if invalid:
        raise RequestInvalid(fields=invalid)
    return request


def region_request(code: str) -> registry_pb2.GetRegionRequest:
    """Build a GetRegionRequest. Raises RequestInvalid for what cannot be sent."""
    try:
        return registry_pb2.GetRegionRequest(code=code)
    except (TypeError, ValueError):
        raise RequestInvalid(fields={"code": "must be text"}) from None
