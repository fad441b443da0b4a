"""Comparison of free text: names, places, addresses.

Version 1 compares after normalisation: Unicode NFKC, case, white space, punctuation.
"""

from __future__ import annotations

import re
import unicodedata

from padan_server.domain.matching.comparison import (
    ABSENT,
    EXACT_TEXT,
    NORMALISED_TEXT,
    OTHER,
    Comparison,
)

_NOT_WORD = re.compile(r"[\W_]+")
_JOINING = {
    ord(apostrophe): None
    for apostrophe in "'\N{RIGHT SINGLE QUOTATION MARK}\N{MODIFIER LETTER APOSTROPHE}"
}


def normalise(text: str) -> str:
    """Give the form in which texts are compared: NFKC, upper case, words split by one space.

    An apostrophe joins (NU'MAN is NUMAN); other punctuation separates.
    """
    if text.isascii():
        text = text.upper().replace("'", "")
    else:
        text = unicodedata.normalize("NFKC", text).upper().translate(_JOINING)
        text = unicodedata.normalize("NFKC", text)  # what now stands side by side may compose
    return _NOT_WORD.sub(" ", text).strip()


def compare_text(recorded: str, claimed: str) -> Comparison:
    """Compare two texts. One without letters or digits is not on record, or agrees with nothing."""
    normalised = normalise(recorded)
    if not normalised:
        return ABSENT
    if recorded == claimed:
        return EXACT_TEXT
    return NORMALISED_TEXT if normalised == normalise(claimed) else OTHER
