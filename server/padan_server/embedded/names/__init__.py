"""Names that fit a region, composed from common words; never a real person's.

`composition` builds a name from a culture's words; the other modules hold the words, by island.
"""
