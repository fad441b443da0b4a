"""Matching: how claims compare with a record. Pure and versioned.

`compare` gives one comparison per claim. What comes of them all is decided in domain/outcome.py.
"""

from padan_server.domain.matching.claims import compare
from padan_server.domain.matching.comparison import (
    CLOSE,
    DIFFERENT,
    MATCH,
    NOT_ON_RECORD,
    Comparison,
)

MATCHER_VERSION = "1"
"""Version of the rules, as it stands in entries. Any change of a verdict makes a new one."""

__all__ = [
    "CLOSE",
    "DIFFERENT",
    "MATCH",
    "MATCHER_VERSION",
    "NOT_ON_RECORD",
    "Comparison",
    "compare",
]
