"""Where synthetic people live and were registered: districts, how many live there, and who.

Districts are dealt out to shards in turn, so that each shard covers the whole country and no NIK
of one can occur in another: shards are generated on their own, in any order.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType

from padan_server.domain.region import Region, RegionTable
from padan_server.embedded.names.by_province import CULTURES
from padan_server.embedded.names.composition import Culture

SHARDS = 128

# Inhabitants in thousands at the end of 2024, rounded; see data/README.md. Within a province they
# are spread evenly over its districts.
_THOUSANDS_BY_PROVINCE = MappingProxyType(
    {
        "11": 5600, "12": 15600, "13": 5800, "14": 6900, "15": 3800, "16": 8900, "17": 2100,
        "18": 9200, "19": 1500, "21": 2200, "31": 11000, "32": 50800, "33": 38300, "34": 3700,
        "35": 41700, "36": 12400, "51": 4400, "52": 5600, "53": 5700, "61": 5600, "62": 2800,
        "63": 4300, "64": 4100, "65": 760, "71": 2700, "72": 3200, "73": 9400, "74": 2800,
        "75": 1250, "76": 1500, "81": 1900, "82": 1400, "91": 1130, "92": 580, "93": 550,
        "94": 1420, "95": 1450, "96": 630,
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class District:
    """A district as a place to live. `birth_place` is its regency, as records name it."""

    code: str
    birth_place: str
    villages: tuple[str, ...]
    postal_code: str | None
    cultures: tuple[Culture, ...]
    """Each as often as it is frequent, of a hundred."""


@dataclass(frozen=True, slots=True)
class ShardPlaces:
    """One shard's part of the country. `cumulative` are the districts' running weights."""

    districts: tuple[District, ...]
    cumulative: tuple[float, ...]
    retired: tuple[District, ...]
    """Districts whose codes are gone; people registered there live in their successors' land."""

    @property
    def weight(self) -> float:
        """How many people live here, in any unit."""
        return self.cumulative[-1]


class Country:
    """All shards' places. A shard's are laid out when asked for: a generator needs only its own."""

    def __init__(self, regions: RegionTable) -> None:
        self._regions = regions
        self._current = [region for region in regions.current("district") if region.villages]
        self._retired = regions.retired("district")
        in_province = Counter(region.code[:2] for region in self._current)
        self._weights = [
            _THOUSANDS_BY_PROVINCE[region.code[:2]] / in_province[region.code[:2]]
            for region in self._current
        ]

    def shard(self, number: int) -> ShardPlaces:
        """Lay out one shard's places."""
        return ShardPlaces(
            districts=self._districts(self._current[number::SHARDS]),
            cumulative=tuple(itertools.accumulate(self._weights[number::SHARDS])),
            retired=self._districts(self._retired[number::SHARDS]),
        )

    def share(self, people: int) -> tuple[int, ...]:
        """Split a number of people over the shards by weight; the parts add up to it."""
        total = sum(self._weights)
        bounds = [0]
        reached = 0.0
        for number in range(SHARDS):
            reached += sum(self._weights[number::SHARDS])
            bounds.append(round(people * reached / total))
        return tuple(after - before for before, after in itertools.pairwise(bounds))

    def _districts(self, regions: Sequence[Region]) -> tuple[District, ...]:
        return tuple(_district(region, self._regions) for region in regions)


def _birth_place(regions: RegionTable, district: str) -> str:
    """Name a district's regency as birth places are written: `Kabupaten Bogor` as `BOGOR`."""
    regency = regions.get(district[:4])
    name = regency.name if regency is not None else "TIDAK DIKETAHUI"
    return re.sub(r"^(KABUPATEN|KOTA) (ADMINISTRASI )?", "", name.upper())


def _district(region: Region, regions: RegionTable) -> District:
    return District(
        code=region.code,
        birth_place=_birth_place(regions, region.code),
        villages=region.villages,
        postal_code=region.postal_code or None,
        cultures=tuple(
            culture for culture, share in CULTURES[region.code[:2]] for _ in range(share)
        ),
    )
