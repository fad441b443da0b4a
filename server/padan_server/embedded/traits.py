"""What people of an age and sex are likely to be: schooling, work, card, blood, life.

Each table lists SIAK codes as often as they are frequent; a draw is one index.
"""

from __future__ import annotations

from types import MappingProxyType

ADULT_AGE = 17
"""From this age on a person has a KTP-el."""

BLOOD_TYPES = ("13",) * 70 + ("10",) * 12 + ("7",) * 8 + ("1",) * 7 + ("4",) * 3

CARDS_OF_ADULTS = (
    ("CARD_ISSUED",) * 182
    + ("PRINT_READY_RECORD",) * 10
    + ("SENT_FOR_ENROLLMENT",) * 4
    + ("CARD_PRINTED", "BIO_CAPTURED", "UNREGISTERED", "ENROLL_FAILURE_AT_CENTRAL")
)

CHANNELS = ("OFFICE",) * 88 + ("OUTREACH",) * 10 + ("CENTRAL",) * 2

_NO_SCHOOL, _SOME_PRIMARY, _PRIMARY, _JUNIOR, _SENIOR = "1", "2", "3", "4", "5"
_DIPLOMA_2, _DIPLOMA_3, _BACHELOR, _MASTER, _DOCTOR = "6", "7", "8", "9", "10"

_SCHOOLING_OF_CHILDREN = (
    (6, (_NO_SCHOOL,)),
    (12, (_SOME_PRIMARY,) * 9 + (_NO_SCHOOL,)),
    (15, (_PRIMARY,) * 9 + (_SOME_PRIMARY,)),
    (18, (_JUNIOR,) * 9 + (_PRIMARY,)),
)
_SCHOOLING_OF_THE_YOUNG = (
    (_SENIOR,) * 50 + (_JUNIOR,) * 20 + (_PRIMARY,) * 10 + (_DIPLOMA_3,) * 4 + (_BACHELOR,) * 15
    + (_MASTER,)
)  # fmt: skip
_SCHOOLING_OF_THE_OLD = (
    (_PRIMARY,) * 40 + (_SOME_PRIMARY,) * 14 + (_NO_SCHOOL,) * 12 + (_JUNIOR,) * 12
    + (_SENIOR,) * 15 + (_DIPLOMA_2,) * 2 + (_BACHELOR,) * 4 + (_DOCTOR,)
)  # fmt: skip
_OLD_SCHOOLING_AGE = 55
SCHOOLING_OF_GRADUATES = frozenset({_BACHELOR, _MASTER, _DOCTOR})

_NO_WORK, _HOME, _STUDENT, _RETIRED = "1", "2", "3", "4"
_CIVIL_SERVANT, _SOLDIER, _POLICE, _TRADE, _FARMER, _FISHER = "5", "6", "7", "8", "9", "11"
_EMPLOYEE, _LABOURER, _TEACHER, _PHYSICIAN, _OWN_BUSINESS, _OTHER = (
    "15", "19", "65", "72", "88", "89",
)  # fmt: skip
_WORK_OF_MEN = (
    (_OWN_BUSINESS,) * 28 + (_EMPLOYEE,) * 24 + (_FARMER,) * 20 + (_LABOURER,) * 12
    + (_TRADE,) * 4 + (_FISHER,) * 3 + (_CIVIL_SERVANT,) * 4 + (_SOLDIER, _POLICE)
    + (_TEACHER,) * 2 + (_OTHER,)
)  # fmt: skip
_WORK_OF_WOMEN = (
    (_HOME,) * 52 + (_EMPLOYEE,) * 14 + (_OWN_BUSINESS,) * 12 + (_FARMER,) * 9 + (_TRADE,) * 4
    + (_TEACHER,) * 4 + (_CIVIL_SERVANT,) * 3 + (_PHYSICIAN, _OTHER)
)  # fmt: skip
_SCHOOL_AGE, _WORKING_AGE, _PENSION_AGE = 6, 19, 66

ACADEMIC_TITLES = (
    "S.PD.", "S.E.", "S.H.", "S.T.", "S.KOM.", "S.SOS.", "S.AG.", "S.KEP.", "M.PD.", "M.M.", "DR.",
)  # fmt: skip
ACADEMIC_TITLE_SHARE = 0.5

ISLAM = "1"
PILGRIM_AGE = 40
PILGRIM_SHARE = 0.08
NOBLE_TITLE_SHARE = 0.02

STREETS = (
    "MERPATI", "MELATI", "MAWAR", "KENANGA", "CENDRAWASIH", "DIPONEGORO", "SUDIRMAN", "PEMUDA",
    "PASAR BARU", "MASJID RAYA", "PELABUHAN", "VETERAN", "GATOT SUBROTO", "KARTINI", "GARUDA",
    "TERATAI", "ANGGREK", "FLAMBOYAN", "PAHLAWAN", "SAWAH BESAR", "TANJUNG", "SUMBER AIR",
)  # fmt: skip

_DEATH_BY_AGE = ((60, 0.004), (75, 0.03), (90, 0.14))
_DEATH_OF_THE_OLDEST = 0.32

MARITAL = MappingProxyType({"never": "1", "married": "2", "divorced": "3", "widowed": "4"})
RELATION = MappingProxyType(
    {"head": "1", "husband": "2", "wife": "3", "child": "4", "parent": "7", "other": "9"}
)


def death_share(age: int) -> float:
    """How many of the recorded people of an age have died."""
    for below, share in _DEATH_BY_AGE:
        if age < below:
            return share
    return _DEATH_OF_THE_OLDEST


def schooling(age: int) -> tuple[str, ...]:
    """Education codes of an age."""
    for below, codes in _SCHOOLING_OF_CHILDREN:
        if age < below:
            return codes
    return _SCHOOLING_OF_THE_YOUNG if age < _OLD_SCHOOLING_AGE else _SCHOOLING_OF_THE_OLD


def work(age: int, *, woman: bool) -> tuple[str, ...]:
    """Occupation codes of an age and sex."""
    if age < _SCHOOL_AGE:
        return (_NO_WORK,)
    if age < _WORKING_AGE:
        return (_STUDENT,)
    if age >= _PENSION_AGE:
        return (_HOME, _HOME, _FARMER) if woman else (_RETIRED, _NO_WORK, _FARMER, _OWN_BUSINESS)
    return _WORK_OF_WOMEN if woman else _WORK_OF_MEN
