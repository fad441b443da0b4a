"""One person of a shard: a complete row whose number, dates, names and titles fit together.

This is the hot part of the generator: it looks up instead of formatting, and its values are named
tuples because those are made fastest. Who lives with whom is decided in `households`.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable
from typing import NamedTuple

from padan_server.embedded import traits
from padan_server.embedded.calendar import TODAY, Calendar
from padan_server.embedded.names.composition import Culture, compose
from padan_server.embedded.places import District, ShardPlaces
from padan_server.embedded.rows import PersonRow
from padan_server.embedded.traits import MARITAL

YEAR_DAYS = 365.25

_REGISTER_DAY_FIRST = int((2009 - 1900) * YEAR_DAYS)
"""Records have been entered centrally since then."""

_MOVED_SHARE = 0.16
_RETIRED_CODE_SHARE = 0.6
"""Of people in Papua: registered before its split, under a code that is gone."""
_PAPUA_FIRST = "91"
_PAPUA_SPLIT_YEAR = 2022
_INACTIVE_SHARE = 0.008
_CORRECTED_SHARE = 0.002
_CORRECTIONS_DAYS = (365, -365, 1, -1, 31, -30, 10)
"""A birth date that was corrected after the NIK was given: the NIK keeps the old one."""
_CLOCK = tuple(
    f" {hour:02d}:{minute:02d}:00+07" for hour in range(8, 16) for minute in range(0, 60, 7)
)
_PARENT_YEARS = 27


class House(NamedTuple):
    """What the people on one family card share."""

    district: District
    card: str
    village: str
    address: str
    rt: str
    rw: str
    hamlet: str | None
    religion: str


class Parent(NamedTuple):
    """A parent as a child's record names it; the NIK is None where it is not on record."""

    name: str
    nik: str | None


class Civil(NamedTuple):
    """A person's standing in the family and before the law."""

    relation: str
    marital: str = MARITAL["never"]
    marriage_number: str | None = None
    marriage_date: str | None = None
    divorce_number: str | None = None
    divorce_date: str | None = None


class Individuals:
    """Makes the people of one shard, and gives out their NIKs; `random` gives numbers in [0, 1)."""

    def __init__(
        self, *, places: ShardPlaces, calendar: Calendar, random: Callable[[], float]
    ) -> None:
        self._places = places
        self._calendar = calendar
        self._random = random
        self._serials: dict[str, int] = {}

    def adult(
        self,
        house: House,
        culture: Culture,
        *,
        woman: bool,
        born: int,
        surname: str,
        civil: Civil,
        died: bool,
        mother: Parent | None = None,
    ) -> PersonRow:
        """Someone whose parents have no record here, unless the mother lives in the house."""
        random = self._random
        year = self._calendar.year[born]
        before = year - _PARENT_YEARS
        if mother is None:
            maiden_name = self.surname(culture)
            name = compose(culture, random, woman=True, year=before, order=1, surname=maiden_name)
            mother = Parent(name, None)
        father = Parent(
            compose(culture, random, woman=False, year=before, order=2, surname=surname), None
        )
        order = 1 + int(random() * 4)
        return self.person(
            house,
            woman=woman,
            born=born,
            name=compose(culture, random, woman=woman, year=year, order=order, surname=surname),
            civil=civil,
            died=died,
            mother=mother,
            father=father,
            registered=self.registered(house.district, born, moved_share=_MOVED_SHARE),
            culture=culture,
        )

    def person(
        self,
        house: House,
        *,
        woman: bool,
        born: int,
        name: str,
        civil: Civil,
        died: bool,
        mother: Parent,
        father: Parent,
        registered: District,
        culture: Culture | None = None,
    ) -> PersonRow:
        """Make one person. `culture` is given for adults, who may have titles."""
        random = self._random
        calendar = self._calendar
        age = TODAY.year - calendar.year[born]
        schooling = traits.schooling(age)
        education = schooling[int(random() * len(schooling))]
        work = traits.work(age, woman=woman)
        channel = traits.CHANNELS[int(random() * 100)]
        since = born if born > _REGISTER_DAY_FIRST else _REGISTER_DAY_FIRST
        entered = since + int(random() * (calendar.today - since))
        happened = max(born, entered - 3 - int(random() * 40)) if channel == "OUTREACH" else entered
        clock = _CLOCK[int(random() * len(_CLOCK))]
        entered_at = calendar.iso[entered] + clock
        certified = random() < (0.95 if calendar.year[born] >= 2000 else 0.5)
        birth_date = calendar.iso[born]
        if random() < _CORRECTED_SHARE:
            days = _CORRECTIONS_DAYS[int(random() * len(_CORRECTIONS_DAYS))]
            birth_date = calendar.iso[min(max(0, born + days), calendar.today)]
        religious, academic, noble = (None, None, None)
        if age >= 22 and culture is not None:
            religious, academic, noble = self._titles(
                culture, woman=woman, age=age, education=education, religion=house.religion
            )
        return PersonRow(
            nik=self._nik(registered.code, born, woman=woman),
            family_card_number=house.card,
            full_name=name,
            title_religious=religious,
            title_academic=academic,
            title_noble=noble,
            birth_place=registered.birth_place,
            birth_date=birth_date,
            sex="2" if woman else "1",
            blood_type=traits.BLOOD_TYPES[int(random() * 100)],
            religion=house.religion,
            marital_status=civil.marital,
            family_relation=civil.relation,
            education=education,
            occupation=work[int(random() * len(work))],
            nationality="INDONESIA",
            birth_certificate_number=(
                f"{registered.code[:4]}-LU-{birth_date[8:10]}{birth_date[5:7]}{birth_date[:4]}-"
                f"{1 + int(random() * 9000):04d}"
                if certified
                else None
            ),
            marriage_certificate_number=civil.marriage_number,
            marriage_date=civil.marriage_date,
            divorce_certificate_number=civil.divorce_number,
            divorce_date=civil.divorce_date,
            mother_nik=mother.nik,
            mother_name=mother.name,
            father_nik=father.nik,
            father_name=father.name,
            village_code=house.village,
            address=house.address,
            rt=house.rt,
            rw=house.rw,
            hamlet=house.hamlet,
            postal_code=house.district.postal_code,
            life_status="2" if died else "1",
            record_status="2" if not died and random() < _INACTIVE_SHARE else "1",
            card_status=(
                traits.CARDS_OF_ADULTS[int(random() * len(traits.CARDS_OF_ADULTS))]
                if age > traits.ADULT_AGE
                else "UNREGISTERED"
            ),
            channel=channel,
            happened_at=calendar.iso[happened] + clock,
            entered_at=entered_at,
            changed_at=entered_at,
            record_version=str(1 + int(random() * random() * 9)),
        )

    def duplicate(self, person: PersonRow) -> PersonRow:
        """The same person recorded a second time, under another NIK, and found out."""
        key = person.nik[:12]
        serial = self._serials.get(key, 0) + 1
        self._serials[key] = serial
        return person._replace(
            nik=f"{key}{serial:04d}",
            record_status="3",
            card_status="DUPLICATE_RECORD",
            life_status="1",
        )

    def _nik(self, district: str, born: int, *, woman: bool) -> str:
        days = self._calendar.in_nik_of_woman if woman else self._calendar.in_nik_of_man
        key = district + days[born]
        serial = self._serials.get(key, 0) + 1
        self._serials[key] = serial
        return f"{key}{serial:04d}"

    def registered(self, home: District, born: int, *, moved_share: float) -> District:
        """Where someone was first registered: mostly where the family lives."""
        retired = self._places.retired
        if (
            home.code >= _PAPUA_FIRST
            and self._calendar.year[born] < _PAPUA_SPLIT_YEAR
            and self._random() < _RETIRED_CODE_SHARE
        ):
            return retired[int(self._random() * len(retired))]
        return self.district() if self._random() < moved_share else home

    def district(self) -> District:
        """Draw a district, as often as people live there."""
        places = self._places
        return places.districts[bisect(places.cumulative, self._random() * places.weight)]

    def culture(self, district: District) -> Culture:
        """Draw a culture, as frequent as it is in a district."""
        return district.cultures[int(self._random() * len(district.cultures))]

    def surname(self, culture: Culture) -> str:
        """Draw a clan's or family's name; empty in a culture without."""
        return culture.surnames[int(self._random() * len(culture.surnames))]

    def _titles(
        self, culture: Culture, *, woman: bool, age: int, education: str, religion: str
    ) -> tuple[str | None, str | None, str | None]:
        """Religious, academic and noble title."""
        random = self._random
        pilgrim = (
            religion == traits.ISLAM
            and age >= traits.PILGRIM_AGE
            and random() < traits.PILGRIM_SHARE
        )
        graduate = (
            education in traits.SCHOOLING_OF_GRADUATES and random() < traits.ACADEMIC_TITLE_SHARE
        )
        nobles = culture.noble_titles_women if woman else culture.noble_titles_men
        noble = nobles and random() < traits.NOBLE_TITLE_SHARE
        return (
            ("HJ." if woman else "H.") if pilgrim else None,
            traits.ACADEMIC_TITLES[int(random() * len(traits.ACADEMIC_TITLES))]
            if graduate
            else None,
            nobles[int(random() * len(nobles))] if noble else None,
        )
