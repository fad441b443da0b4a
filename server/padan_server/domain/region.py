"""Region codes (Kepmendagri) and what has become of them.

A NIK keeps the code of the district where the person was first registered, so retired codes stay
valid for a lifetime: they must be told apart from codes that never existed. The table is a value,
parsed from text; the edition that ships with this release is package data.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, unique
from importlib import resources
from types import MappingProxyType

_DIGITS_OF_LEVEL = MappingProxyType({"province": 2, "regency": 4, "district": 6})

LEVELS = ("centre", *_DIGITS_OF_LEVEL)
"""From the whole country down."""

COUNTRY = "ID"
"""The code of the whole country, which the code list does not name: ISO 3166-1's."""


@unique
class Standing(Enum):
    """What the editions of the code list say about a code."""

    CURRENT = "current"
    RETIRED = "retired"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Region:
    """A province (2 digits), regency or city (4), or district (6); or COUNTRY, the centre.

    `first_edition` and `last_edition` name the oldest and newest edition of the code list that
    have it. `successors` are codes that took its people over: empty for a current code; shorter
    than the code where only the regency is known.
    """

    code: str
    level: str
    name: str
    first_edition: str
    last_edition: str
    successors: tuple[str, ...]
    villages: tuple[str, ...]
    """The 10-digit codes of a current district's villages."""
    postal_code: str
    """The postal code that most of a district's villages share; may be empty."""

    @property
    def parent(self) -> str | None:
        """The code one level up; None for a province and for the country."""
        return self.code[:-2] or None


@dataclass(frozen=True, slots=True)
class Lookup:
    """What is known of the six-digit prefix of a NIK.

    Names are None where no edition has the code. `regency_now` and `province_now` follow a retired
    regency to its successor if it has exactly one, and are the code's own otherwise.
    """

    prefix: str
    standing: Standing
    district: str | None
    regency: str | None
    province: str | None
    regency_now: str
    province_now: str


class RegionTable:
    """All regions of all editions that were read, by code."""

    __slots__ = ("_by_code", "_newest_edition", "country")

    def __init__(self, regions: Iterable[Region]) -> None:
        self._by_code = {each.code: each for each in sorted(regions, key=lambda each: each.code)}
        provinces = [each for each in self._by_code.values() if each.level == "province"]
        self._newest_edition = max((each.last_edition for each in provinces), default="")
        first = min((each.first_edition for each in provinces), default="")
        self.country = Region(
            COUNTRY, "centre", "Indonesia", first, self._newest_edition, (), (), ""
        )
        """The whole country, as a region of its own."""

    @classmethod
    def parse(cls, text: str) -> RegionTable:
        """Read the comma-separated form. Raises ValueError if a row contradicts itself."""
        return cls(_region(row) for row in csv.DictReader(text.splitlines()))

    @classmethod
    def published(cls) -> RegionTable:
        """Read the edition that ships with this release (package data: the module's only I/O)."""
        text = resources.files("padan_server").joinpath("data", "regions.csv").read_text("utf-8")
        return cls.parse(text)

    def __len__(self) -> int:
        return len(self._by_code)

    def get(self, code: str) -> Region | None:
        """Find a region by its code of 2, 4 or 6 digits."""
        return self._by_code.get(code)

    def within(self, parent: str, level: str, *, retired: bool) -> tuple[Region, ...]:
        """List the regions of a level whose codes begin with `parent`, ordered by code.

        COUNTRY holds all. Retired regions come among them if `retired` is set.
        """
        prefix = "" if parent == COUNTRY else parent
        return tuple(
            region
            for code, region in self._by_code.items()
            if region.level == level
            and code.startswith(prefix)
            and (retired or self.is_current(region))
        )

    def current(self, level: str) -> tuple[Region, ...]:
        """List the regions of a level that the newest edition has, ordered by code."""
        return self._listed(level, current=True)

    def retired(self, level: str) -> tuple[Region, ...]:
        """List the regions of a level that only older editions have, ordered by code."""
        return self._listed(level, current=False)

    def is_current(self, region: Region) -> bool:
        """Tell whether the newest edition has this region; the country is in all of them."""
        return region.last_edition == self._newest_edition

    def lookup(self, prefix: str) -> Lookup:
        """Tell what a NIK's first six digits say.

        A district that no edition has is RETIRED if its whole regency is (older splits are known
        by regency only), otherwise UNKNOWN.
        """
        district = self._by_code.get(prefix)
        regency = self._by_code.get(prefix[:4])
        province = self._by_code.get(prefix[:2])
        known = district or (regency if regency and not self.is_current(regency) else None)
        if known is None:
            standing = Standing.UNKNOWN
        elif self.is_current(known):
            standing = Standing.CURRENT
        else:
            standing = Standing.RETIRED
        regency_now = self.regency_now(prefix[:4])
        return Lookup(
            prefix=prefix,
            standing=standing,
            district=district.name if district else None,
            regency=regency.name if regency else None,
            province=province.name if province else None,
            regency_now=regency_now,
            province_now=regency_now[:2],
        )

    def regency_now(self, code: str) -> str:
        """Follow a retired regency to its only successor; any other code is given back."""
        regency = self._by_code.get(code)
        if regency is not None and len(regency.successors) == 1:
            return regency.successors[0]
        return code

    def _listed(self, level: str, *, current: bool) -> tuple[Region, ...]:
        return tuple(
            region
            for region in self._by_code.values()
            if region.level == level and self.is_current(region) is current
        )


def _region(row: dict[str, str]) -> Region:
    code = row["code"]
    if not code.isascii() or not code.isdigit() or len(code) != _DIGITS_OF_LEVEL[row["level"]]:
        raise ValueError("a region's code does not fit its level")
    return Region(
        code=code,
        level=row["level"],
        name=row["name"],
        first_edition=row["first_edition"],
        last_edition=row["last_edition"],
        successors=tuple(row["successors"].split()),
        villages=tuple(_villages(code, row["villages"])),
        postal_code=row["postal_code"],
    )


def _villages(district: str, packed: str) -> Iterable[str]:
    for run in packed.split():
        first, _, last = run.partition("-")
        for number in range(int(first), int(last or first) + 1):
            yield f"{district}{number:04d}"
