"""The synthetic population: the same people for the same number and seed, on any machine.

As a program it writes its part of them as COPY text; the loader runs one per core:

    python -m padan_server.embedded.population --people 100000 --seed 1 --part 0 --parts 2
"""

from __future__ import annotations

import argparse
import gc
import random
import sys
from collections.abc import Iterable, Iterator

from padan_server.domain.region import RegionTable
from padan_server.embedded.calendar import Calendar
from padan_server.embedded.documented import documented_people
from padan_server.embedded.households import Households
from padan_server.embedded.places import SHARDS, Country
from padan_server.embedded.rows import PersonRow, copy_line

PEOPLE_MIN = 100
"""Fewer would have no room for the documented identities among others."""
PEOPLE_MAX = 50_000_000
"""Some birth days of a district would run out of serials not far above."""


def people(count: int, seed: int) -> Iterator[PersonRow]:
    """Give exactly this many people: the documented ones, then the shards in order.

    Raises ValueError outside PEOPLE_MIN to PEOPLE_MAX.
    """
    yield from part_of_people(count, seed, range(SHARDS))


def part_of_people(count: int, seed: int, shards: Iterable[int]) -> Iterator[PersonRow]:
    """Give the people of some shards; the documented ones come with shard 0."""
    if not PEOPLE_MIN <= count <= PEOPLE_MAX:
        raise ValueError(f"people must be from {PEOPLE_MIN} to {PEOPLE_MAX}")
    documented = [person.row for person in documented_people() if person.row is not None]
    country = Country(RegionTable.published())
    calendar = Calendar.until_today()
    counts = country.share(count - len(documented))
    for shard in shards:
        if shard == 0:
            yield from documented
        # Not for secrets: anyone must be able to make the same people again.
        numbers = random.Random(f"padan/{seed}/{shard}")  # noqa: S311
        households = Households(
            places=country.shard(shard), calendar=calendar, random=numbers.random
        )
        yield from households.people(counts[shard])


def main() -> None:
    """Write every `--parts`-th shard, from `--part` on, to standard output."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--part", type=int, required=True)
    parser.add_argument("--parts", type=int, required=True)
    arguments = parser.parse_args()
    shards = range(arguments.part, SHARDS, arguments.parts)
    gc.disable()  # Rows make no cycles, and the process is short.
    for row in part_of_people(arguments.people, arguments.seed, shards):
        sys.stdout.write(copy_line(row))


if __name__ == "__main__":
    main()
