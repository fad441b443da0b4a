"""Matching, version 1: how each claim compares with a record."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from padan_server.domain.claims import BORN_ON_OR_BEFORE, VERIFY_ELEMENTS, ClaimValue
from padan_server.domain.matching import (
    DIFFERENT,
    MATCH,
    NOT_ON_RECORD,
    Comparison,
    compare,
)
from padan_server.domain.matching.claims import _COMPARE
from padan_server.domain.matching.text import compare_text, normalise
from tests.support.builders import record

TEXTS = ("full_name", "birth_place", "mother_name", "father_name", "address")
EXACT = Comparison(MATCH, 100, ("EXACT",))
NORMALISED = Comparison(MATCH, 100, ("NORMALISED",))


def comparison(element: str, claimed: ClaimValue, **recorded: Any) -> Comparison:
    return compare(record(**recorded), {element: claimed})[element]


@pytest.mark.parametrize(
    ("recorded", "claimed"),
    [
        ("SITI LESTARI", "siti lestari"),
        ("SITI LESTARI", "Siti  Lestari"),
        ("SITI LESTARI", " SITI LESTARI "),
        ("SITI LESTARI", "SITI\u00a0LESTARI"),
        ("SITI LESTARI", "SITI-LESTARI"),
        ("SITI LESTARI", "SITI_LESTARI"),
        ("SITI LESTARI", "SITI._LESTARI"),
        ("SITI LESTARI", "SITI, LESTARI."),
        ("SITI LESTARI", "\uff33\uff29\uff34\uff29 LESTARI"),
        ("MUH. NUR", "MUH NUR"),
        ("NU'MAN", "NUMAN"),
        ("NU'MAN", "NU\N{RIGHT SINGLE QUOTATION MARK}MAN"),
        ("NU'MAN", "NU\N{FULLWIDTH APOSTROPHE}MAN"),
        ("NU'MAN", "NU\N{MODIFIER LETTER APOSTROPHE}MAN"),
        ("REN\u00c9", "rene\u0301"),
        ("\N{LATIN SMALL LIGATURE FI}FI", "FIFI"),
        ("JL. CONTOH NO. 1", "jl contoh no 1"),
        ("JL. CONTOH NO.1", "JL CONTOH NO 1"),
        ("RT 1/RW 2", "RT 1 RW 2"),
    ],
)
def test_case_space_punctuation_and_width_do_not_matter(recorded: str, claimed: str) -> None:
    assert compare_text(recorded, claimed) == NORMALISED
    assert compare_text(claimed, recorded) == NORMALISED


@pytest.mark.parametrize(
    ("recorded", "claimed"),
    [
        ("SITI LESTARI", "SITI LESTARY"),
        ("SITI LESTARI", "LESTARI SITI"),
        ("SITI LESTARI", "SITILESTARI"),
        ("SITI LESTARI", "SITI"),
        ("SITI", "SITI LESTARI"),
        ("DEWI", "DEWA"),
        ("RAHMAT", "RAHMAH"),
        ("WAHYUDI", "WAHYUNI"),
        ("SOEPARDJO", "SUPARJO"),  # spelling before 1972: a later version of the matcher
        ("NU'MAN", "NU MAN"),
        ("REN\u00c9", "RENE"),
        ("JL. CONTOH NO. 1", "JL. CONTOH NO. 11"),
        ("JL. CONTOH NO. 1", "JL. CONTOH NO. \u0967"),
        ("\u0410NNA", "ANNA"),  # a Cyrillic capital that looks like A
    ],
)
def test_other_letters_words_or_digits_do_not_match(recorded: str, claimed: str) -> None:
    assert compare_text(recorded, claimed) == Comparison(DIFFERENT)


NOT_WORDS = [
    "-",
    ".",
    "'",
    "_",
    " ",
    "--",
    "- -",
    "\N{EM DASH}",
    "?",
    "\u3000",
    "\u200b",
    "'\N{RIGHT SINGLE QUOTATION MARK}",
]


@pytest.mark.parametrize("recorded", NOT_WORDS)
@pytest.mark.parametrize("claimed", NOT_WORDS)
def test_a_text_without_letters_or_digits_never_matches(recorded: str, claimed: str) -> None:
    assert compare_text(recorded, claimed).result != MATCH


@pytest.mark.parametrize("blank", ["", *NOT_WORDS])
def test_a_blank_claim_matches_no_record_and_a_blank_record_no_claim(blank: str) -> None:
    assert compare_text("SITI", blank).result == DIFFERENT
    assert compare_text(blank, "SITI").result != MATCH


def test_a_text_that_is_not_on_record_is_told_so() -> None:
    assert compare_text("", "SITI") == Comparison(NOT_ON_RECORD)


@given(st.text(max_size=12))
def test_normalising_twice_changes_nothing_more(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)


@given(st.text("aZ9 .-_':\u2019\u00e9\uff21", max_size=12))
def test_a_normal_form_is_words_split_by_one_space(text: str) -> None:
    words = normalise(text).split(" ")
    assert words == [""] or all(word.isalnum() and word == word.upper() for word in words)


@given(st.text(min_size=1, max_size=12), st.text(max_size=12))
def test_texts_match_exactly_when_they_have_the_same_words(recorded: str, claimed: str) -> None:
    for text in (claimed, recorded, recorded.lower()):
        same = normalise(recorded) != "" and normalise(recorded) == normalise(text)
        assert (compare_text(recorded, text).result == MATCH) is same


SAME = Comparison(MATCH, 0, ("EXACT",))
AGREEING: list[tuple[str, ClaimValue, Comparison]] = [
    ("full_name", "SITI CONTOH LESTARI", EXACT),
    ("full_name", "siti contoh-lestari", NORMALISED),
    ("birth_place", "Jakarta Pusat", NORMALISED),
    ("birth_date", date(1990, 3, 12), SAME),
    ("sex", 2, SAME),
    ("mother_name", "AMINAH CONTOH", EXACT),
    ("father_name", "Ahmad Contoh", NORMALISED),
    ("family_card_number", "3171010101209001", SAME),
    ("address", "Jl Contoh No 1", NORMALISED),
    ("rt", "001", SAME),
    ("rt", "1", SAME),
    ("rw", "02", SAME),
    ("province_code", "31", SAME),
    ("regency_code", "3171", SAME),
    ("district_code", "317101", SAME),
    ("village_code", "3171011001", SAME),
    ("marital_status", 2, SAME),
    (BORN_ON_OR_BEFORE, date(1990, 3, 12), SAME),
    (BORN_ON_OR_BEFORE, date(2008, 1, 1), SAME),
]
DISAGREEING: list[tuple[str, ClaimValue]] = [
    ("full_name", "SITI CONTOH"),
    ("birth_place", "JAKARTA"),
    ("birth_date", date(1990, 3, 13)),
    ("birth_date", date(1991, 3, 12)),
    ("sex", 1),
    ("mother_name", "AMINAH"),
    ("father_name", "AHMAD"),
    ("family_card_number", "3171010101209002"),
    ("address", "JL. CONTOH NO. 2"),
    ("rt", "002"),
    ("rt", "010"),
    ("rt", "000"),
    ("rw", "020"),
    ("province_code", "32"),
    ("regency_code", "3172"),
    ("district_code", "317102"),
    ("village_code", "3171011002"),
    ("marital_status", 1),
    (BORN_ON_OR_BEFORE, date(1990, 3, 11)),
]


@pytest.mark.parametrize(("element", "claimed", "expected"), AGREEING)
def test_a_claim_that_agrees_matches(
    element: str, claimed: ClaimValue, expected: Comparison
) -> None:
    assert comparison(element, claimed) == expected


@pytest.mark.parametrize(("element", "claimed"), DISAGREEING)
def test_a_claim_that_disagrees_is_different_and_says_nothing_more(
    element: str, claimed: ClaimValue
) -> None:
    assert comparison(element, claimed) == Comparison(DIFFERENT)


def test_the_examples_have_every_claim_that_can_be_made() -> None:
    every = {*VERIFY_ELEMENTS, BORN_ON_OR_BEFORE}
    assert {element for element, _, _ in AGREEING} == every
    assert {element for element, _ in DISAGREEING} == every
    assert _COMPARE.keys() == every


@pytest.mark.parametrize(
    ("element", "claimed", "recorded"),
    [
        ("mother_name", "AMINAH CONTOH", {"mother_name": ""}),
        ("father_name", "AHMAD CONTOH", {"father_name": ""}),
        ("sex", 2, {"sex": 0}),
        ("marital_status", 2, {"marital_status": 0}),
        ("rt", "001", {"rt": ""}),
        ("rt", "000", {"rt": "000"}),
        ("rw", "002", {"rw": "0"}),
        ("province_code", "31", {"village_code": ""}),
        ("regency_code", "3171", {"village_code": "31"}),
        ("district_code", "317101", {"village_code": "3171"}),
        ("village_code", "3171011001", {"village_code": "317101"}),
    ],
)
def test_what_is_not_on_record_is_neither_a_match_nor_different(
    element: str, claimed: ClaimValue, recorded: dict[str, Any]
) -> None:
    assert comparison(element, claimed, **recorded) == Comparison(NOT_ON_RECORD)


def test_a_record_known_to_its_regency_still_matches_there() -> None:
    assert comparison("regency_code", "3171", village_code="3171") == SAME
    assert comparison("province_code", "31", village_code="3171") == SAME


def test_transposed_day_and_month_are_different_and_told_as_transposed() -> None:
    assert comparison("birth_date", date(1990, 12, 3)) == Comparison(DIFFERENT, transposed=True)


@pytest.mark.parametrize("claimed", [date(1991, 12, 3), date(1990, 3, 11), date(1990, 12, 4)])
def test_another_wrong_date_is_not_told_as_transposed(claimed: date) -> None:
    assert not comparison("birth_date", claimed).transposed


def test_a_date_that_reads_the_same_either_way_matches() -> None:
    assert comparison("birth_date", date(1990, 3, 3), birth_date=date(1990, 3, 3)) == SAME


def test_comparisons_stand_in_the_order_of_the_claims() -> None:
    claims: dict[str, ClaimValue] = {"sex": 2, "full_name": "X", "rt": "1"}
    assert list(compare(record(), claims)) == list(claims)


@given(st.sampled_from(DISAGREEING))
def test_rules_are_told_for_a_match_alone(example: tuple[str, ClaimValue]) -> None:
    assert comparison(*example).rules == ()
