"""What a culture's names are made of, and how one is composed.

Written in capitals, as SIAK keeps them. Old names are kept as they were given: one word, an
abbreviation, the spelling before 1972. Composed names are at most 60 characters long.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, unique

Random = Callable[[], float]
"""Gives a number in [0, 1)."""

NEW_SPELLING_YEAR = 1972
TWO_WORDS_YEAR = 1970

_OLD_SPELLING_SHARE = 0.35
_THIRD_WORD_SHARE = 0.25
_SECOND_BEFORE_SURNAME_SHARE = 0.45
_TITLED_CASTE_SHARE = 0.15
_OLD = {"NY": "NJ", "SY": "SJ", "KH": "CH", "J": "DJ", "C": "TJ", "Y": "J", "U": "OE"}
_OLD_PATTERN = re.compile("|".join(_OLD))


@unique
class Form(Enum):
    """How words become a name."""

    PLAIN = "given names only, nothing inherited"
    SURNAME = "given names and a clan's or family's name, from the father"
    BIRTH_ORDER = "Balinese: I or Ni, caste or order of birth, given name"


@dataclass(frozen=True, slots=True)
class Culture:
    """Words for names. `religions` are SIAK codes, each as often as it is frequent."""

    key: str
    form: Form
    religions: tuple[str, ...]
    men: tuple[str, ...]
    women: tuple[str, ...]
    men_second: tuple[str, ...]
    women_second: tuple[str, ...]
    lead_men: tuple[str, ...] = ()
    lead_women: tuple[str, ...] = ()
    lead_share: float = 0.0
    """How often a name starts with one of the leading words (MUH., SITI, ANDI)."""
    surnames: tuple[str, ...] = ("",)
    mononym_share: float = 0.0
    """How many of those born before TWO_WORDS_YEAR have one word as their name."""
    noble_titles_men: tuple[str, ...] = ()
    noble_titles_women: tuple[str, ...] = ()
    settlements: tuple[str, ...] = ("DUSUN",)
    """What a hamlet is called."""


def words(text: str) -> tuple[str, ...]:
    """Split a list of single words."""
    return tuple(text.split())


def often(**frequencies: int) -> tuple[str, ...]:
    """Repeat SIAK religion codes: `often(islam=9, kristen=1)`."""
    codes = {
        "islam": "1",
        "kristen": "2",
        "katholik": "3",
        "hindu": "4",
        "buddha": "5",
        "khonghucu": "6",
        "kepercayaan": "7",
    }
    return tuple(codes[name] for name, times in frequencies.items() for _ in range(times))


def old_spelling(name: str) -> str:
    """Write a name as before 1972: Soekarno's u, Djoko's j, Tjahjo's c and y."""
    return _OLD_PATTERN.sub(lambda found: _OLD[found[0]], name)


def compose(
    culture: Culture, random: Random, *, woman: bool, year: int, order: int, surname: str
) -> str:
    """Compose the name of someone born in a year, as the `order`-th child (from 1)."""
    if culture.form is Form.PLAIN:
        name = _plain(culture, random, woman, year)
    elif culture.form is Form.SURNAME:
        name = _with_surname(culture, random, woman, surname)
    else:
        name = _balinese(culture, random, woman, order)
    if year < NEW_SPELLING_YEAR and random() < _OLD_SPELLING_SHARE:
        return old_spelling(name)
    return name


def _plain(culture: Culture, random: Random, woman: bool, year: int) -> str:
    given, second, lead = (
        (culture.women, culture.women_second, culture.lead_women)
        if woman
        else (culture.men, culture.men_second, culture.lead_men)
    )
    first = given[int(random() * len(given))]
    if lead and random() < culture.lead_share:
        first = f"{lead[int(random() * len(lead))]} {first}"
    elif year < TWO_WORDS_YEAR and random() < culture.mononym_share:
        return first
    last = second[int(random() * len(second))]
    if random() < _THIRD_WORD_SHARE:
        middle = given[int(random() * len(given))]
        return f"{first} {last}" if middle in first else f"{first} {middle} {last}"
    return f"{first} {last}"


def _with_surname(culture: Culture, random: Random, woman: bool, surname: str) -> str:
    given, second = (
        (culture.women, culture.women_second) if woman else (culture.men, culture.men_second)
    )
    first = given[int(random() * len(given))]
    if random() < _SECOND_BEFORE_SURNAME_SHARE:
        return f"{first} {second[int(random() * len(second))]} {surname}"
    return f"{first} {surname}"


_BORN = (
    ("WAYAN", "PUTU", "GEDE"),
    ("MADE", "KADEK", "NENGAH"),
    ("NYOMAN", "KOMANG", "NYOMAN"),
    ("KETUT", "KETUT", "KETUT"),
)
_CASTES_MEN = ("IDA BAGUS", "ANAK AGUNG GEDE", "I GUSTI NGURAH", "COKORDA GEDE", "I DEWA GEDE")
_CASTES_WOMEN = ("IDA AYU", "ANAK AGUNG AYU", "I GUSTI AYU", "COKORDA ISTRI", "DESAK")


def _balinese(culture: Culture, random: Random, woman: bool, order: int) -> str:
    given = culture.women if woman else culture.men
    name = given[int(random() * len(given))]
    if random() < _TITLED_CASTE_SHARE:
        castes = _CASTES_WOMEN if woman else _CASTES_MEN
        return f"{castes[int(random() * len(castes))]} {name}"
    born = _BORN[(order - 1) % 4][int(random() * 3)]
    return f"{'NI' if woman else 'I'} {born} {name}"
