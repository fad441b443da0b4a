"""The NIK: its form, and what its digits say."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from padan_server.domain import nik as niks
from padan_server.domain.nik import MalformedNik, Nik

BORN = st.dates(date(1900, 1, 1), date(2099, 12, 31))
SERIAL = st.integers(1, 9999)


def nik_of(born: date, *, female: bool, serial: int = 1, region: str = "317101") -> str:
    day = born.day + (40 if female else 0)
    return f"{region}{day:02d}{born:%m%y}{serial:04d}"


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("empty", ""),
        ("15 digits", "317101520390900"),
        ("17 digits", "31710152039090011"),
        ("a letter", "317101520390900A"),
        ("a space before", " 3171015203909001"),
        ("a space within", "3171015203 909001"),
        ("a line feed after", "3171015203909001\n"),
        ("a NUL after", "3171015203909001\0"),
        ("a sign", "-171015203909001"),
        ("an underscore", "3171_15203909001"),
        ("dots between", "31.7101.520390.9"),
        ("Arabic-Indic digits", "".join(chr(0x660 + int(digit)) for digit in "3171015203909001")),
        ("one Arabic-Indic digit", "317101520390900\N{ARABIC-INDIC DIGIT ONE}"),
        ("fullwidth digits", "\uff13\uff11\uff17\uff11\uff10\uff115203909001"),
        ("mathematical digits", "317101520390900\U0001d7cf"),
        ("a superscript digit", "317101520390900\N{SUPERSCRIPT ONE}"),
        ("serial 0000", "3171015203900000"),
        ("day 00", "3171010003909001"),
        ("day 32", "3171013203909001"),
        ("day 39", "3171013903909001"),
        ("day 40", "3171014003909001"),
        ("day 72", "3171017203909001"),
        ("day 99", "3171019903909001"),
        ("month 00", "3171015200909001"),
        ("month 13", "3171015213909001"),
        ("month 99", "3171015299909001"),
    ],
)
def test_a_malformed_nik_is_refused_and_not_repeated(what: str, text: str) -> None:
    with pytest.raises(MalformedNik) as refused:
        niks.parse(text)
    assert not text.strip() or text not in str(refused.value)


@pytest.mark.parametrize("day", ["01", "31", "41", "71"])
@pytest.mark.parametrize("month", ["01", "12"])
@pytest.mark.parametrize("serial", ["0001", "9999"])
def test_the_first_and_last_possible_day_month_and_serial_pass(
    day: str, month: str, serial: str
) -> None:
    assert niks.parse(f"317101{day}{month}90{serial}")


@pytest.mark.parametrize("region", ["910101", "990101", "000000"])
def test_a_retired_or_unknown_region_passes(region: str) -> None:
    assert niks.parse(f"{region}5203909001")


def test_a_day_that_its_month_does_not_have_passes_as_such_niks_were_given() -> None:
    assert niks.parse("3171013002909001")


def test_prefix_and_regency_are_the_first_digits() -> None:
    nik = niks.parse("3171015203909001")
    assert (niks.prefix(nik), niks.regency(nik)) == ("317101", "3171")


@given(born=BORN, female=st.booleans(), serial=SERIAL)
def test_every_birth_date_gives_a_nik_that_tells_it_and_the_sex(
    born: date, female: bool, serial: int
) -> None:
    nik = niks.parse(nik_of(born, female=female, serial=serial))
    assert niks.is_female(nik) is female
    assert not niks.contradicts_birth_date(nik, born)


@given(born=BORN, other=BORN, female=st.booleans())
def test_a_nik_contradicts_every_other_day_but_the_one_a_century_away(
    born: date, other: date, female: bool
) -> None:
    nik = Nik(nik_of(born, female=female))
    same_digits = f"{born:%d%m%y}" == f"{other:%d%m%y}"
    assert niks.contradicts_birth_date(nik, other) is not same_digits


@pytest.mark.parametrize(
    ("born", "contradicts"),
    [
        (date(1990, 3, 12), False),
        (date(1890, 3, 12), False),
        (date(1990, 3, 13), True),
        (date(1990, 12, 3), True),
        (date(1991, 3, 12), True),
    ],
)
def test_a_womans_nik_is_read_without_the_40_added_to_her_day(
    born: date, contradicts: bool
) -> None:
    assert niks.contradicts_birth_date(niks.parse("3171015203909001"), born) is contradicts
