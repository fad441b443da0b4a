"""The result of comparing one claim."""

from __future__ import annotations

import msgspec

MATCH = "MATCH"
CLOSE = "CLOSE"
DIFFERENT = "DIFFERENT"
NOT_ON_RECORD = "NOT_ON_RECORD"


class Comparison(msgspec.Struct, frozen=True, gc=False):
    """One claim's result, its score's band (0, 60, 70, 80, 90, 95 or 100), and the rules.

    `rules` are set for MATCH only; `transposed` tells a birth date whose day and month are swapped.
    """

    result: str
    band: int = 0
    rules: tuple[str, ...] = ()
    transposed: bool = False


EXACT_TEXT = Comparison(MATCH, 100, ("EXACT",))
NORMALISED_TEXT = Comparison(MATCH, 100, ("NORMALISED",))
SAME = Comparison(MATCH, 0, ("EXACT",))
OTHER = Comparison(DIFFERENT)
TRANSPOSED = Comparison(DIFFERENT, transposed=True)
ABSENT = Comparison(NOT_ON_RECORD)
