"""How complete the registry copy is, regency by regency: watermarks, counts, outreach to come."""

from __future__ import annotations

from datetime import date

import msgspec


class Coverage(msgspec.Struct, frozen=True):
    """How complete the copy is for one regency or city.

    `complete_to` is in seconds since the epoch: every event that the regency entered up to then is
    here. It is None while the regency is not centralised, as is `centralised_since`.
    `records_expected` is what the regency's own register counts, or None if it never said.
    `records` are the records held, by the channel of their last event.
    """

    complete_to: float | None
    outreach_pending: bool = False
    centralised_since: date | None = None
    records_expected: int | None = None
    records: dict[str, int] = {}
