"""Families of one shard: who lives on one card, who is whose child, who has died.

Everything is drawn from one stream of random numbers, so a shard is the same for the same seed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from padan_server.embedded import traits
from padan_server.embedded.calendar import Calendar
from padan_server.embedded.individuals import YEAR_DAYS, Civil, House, Individuals, Parent
from padan_server.embedded.names.composition import Culture, compose
from padan_server.embedded.places import ShardPlaces
from padan_server.embedded.rows import PersonRow
from padan_server.embedded.traits import MARITAL, RELATION

_DUPLICATE_SHARE = 0.003
_TWIN_SHARE = 0.012
_SINGLE_SHARE = 0.16
_PARENT_SHARE = 0.12
_MIXED_CULTURE_SHARE = 0.15
_CENTENARIAN_SHARE = 0.004
_LEAVES_HOME_AGE = 25
_CHILDREN_MOVED_SHARE = 0.03
_CHILDREN_DEATH_SHARE = 0.004
_CHILDREN = (0, 1, 1, 2, 2, 2, 2, 3, 3, 4, 5)
_MONTHS = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII")


class Households:
    """Makes the households of one shard; `random` gives numbers in [0, 1)."""

    def __init__(
        self, *, places: ShardPlaces, calendar: Calendar, random: Callable[[], float]
    ) -> None:
        self._individuals = Individuals(places=places, calendar=calendar, random=random)
        self._calendar = calendar
        self._random = random
        self._cards: dict[str, int] = {}

    def people(self, count: int) -> Iterator[PersonRow]:
        """Make exactly this many people, household by household."""
        left = count
        while left > 0:
            household = self._single() if self._random() < _SINGLE_SHARE else self._family()
            while len(household) > left:
                household = self._single()[:1]
            left -= len(household)
            yield from household

    def _family(self) -> list[PersonRow]:
        random = self._random
        house, culture = self._house()
        today = self._calendar.today
        his_age = 22 + int(58 * random() ** 1.7)
        her_age = max(19, his_age - 6 + int(random() * 9))
        he_born, she_born = self._born(his_age), self._born(her_age)
        his_surname = self._individuals.surname(culture)

        grandmother = None
        if his_age < 62 and random() < _PARENT_SHARE:
            grandmother = self._grandmother(house, culture, his_age)
        her_culture = culture
        if random() < _MIXED_CULTURE_SHARE:
            her_culture = self._individuals.culture(house.district)
        he_died = random() < traits.death_share(his_age)
        she_died = not he_died and random() < traits.death_share(her_age)
        wed = min(today, max(he_born, she_born) + int((19 + random() * 8) * YEAR_DAYS))
        number = self._marriage_number(wed)
        wed_on = self._calendar.iso[wed]

        father = self._individuals.adult(
            house,
            culture,
            woman=False,
            born=he_born,
            surname=his_surname,
            civil=Civil(
                RELATION["husband" if he_died else "head"],
                MARITAL["widowed" if she_died else "married"],
                number,
                wed_on,
            ),
            died=he_died,
            mother=grandmother and Parent(grandmother.full_name, grandmother.nik),
        )
        mother = self._individuals.adult(
            house,
            her_culture,
            woman=True,
            born=she_born,
            surname=self._individuals.surname(her_culture),
            civil=Civil(
                RELATION["head" if he_died else "wife"],
                MARITAL["widowed" if he_died else "married"],
                number,
                wed_on,
            ),
            died=she_died,
        )
        household = [father, mother]
        self._add_children(household, house, culture, his_surname, she_born)
        if grandmother is not None:
            household.append(grandmother)
        if random() < _DUPLICATE_SHARE * len(household):
            household.append(self._individuals.duplicate(household[int(random() * len(household))]))
        return household

    def _add_children(
        self,
        household: list[PersonRow],
        house: House,
        culture: Culture,
        surname: str,
        mother_born: int,
    ) -> None:
        random = self._random
        today = self._calendar.today
        father = Parent(household[0].full_name, household[0].nik)
        mother = Parent(household[1].full_name, household[1].nik)
        civil = Civil(RELATION["child"])
        wanted = _CHILDREN[int(random() * len(_CHILDREN))]
        born = mother_born + int((20 + random() * 8) * YEAR_DAYS)
        order = 0
        while order < wanted and born <= today and born - mother_born < 43 * YEAR_DAYS:
            order += 1
            at_home = today - born < _LEAVES_HOME_AGE * YEAR_DAYS
            children = 2 if random() < _TWIN_SHARE else 1
            for _ in range(children if at_home else 0):
                woman = random() < 0.49
                household.append(
                    self._individuals.person(
                        house,
                        woman=woman,
                        born=born,
                        name=compose(
                            culture,
                            random,
                            woman=woman,
                            year=self._calendar.year[born],
                            order=order,
                            surname=surname,
                        ),
                        civil=civil,
                        died=random() < _CHILDREN_DEATH_SHARE,
                        mother=mother,
                        father=father,
                        registered=self._individuals.registered(
                            house.district, born, moved_share=_CHILDREN_MOVED_SHARE
                        ),
                    )
                )
            born += int((1.5 + random() * 4) * YEAR_DAYS)

    def _single(self) -> list[PersonRow]:
        random = self._random
        house, culture = self._house()
        woman = random() < 0.55
        if random() < _CENTENARIAN_SHARE:
            age, state = 100 + int(random() * 11), "widowed"
        else:
            age = 19 + int(66 * random() ** 1.4)
            state = ("never", "divorced")[random() < 0.35] if age < 50 else "widowed"
        born = self._born(age)
        civil = Civil(RELATION["head"], MARITAL[state])
        if state != "never":
            wed = min(self._calendar.today - 400, born + int((20 + random() * 6) * YEAR_DAYS))
            parted = wed + int(random() * (self._calendar.today - wed))
            divorced = state == "divorced"
            civil = Civil(
                RELATION["head"],
                MARITAL[state],
                self._marriage_number(wed),
                self._calendar.iso[wed],
                self._marriage_number(parted) if divorced else None,
                self._calendar.iso[parted] if divorced else None,
            )
        person = self._individuals.adult(
            house,
            culture,
            woman=woman,
            born=born,
            surname=self._individuals.surname(culture),
            civil=civil,
            died=random() < traits.death_share(age),
        )
        if random() < _DUPLICATE_SHARE:
            return [person, self._individuals.duplicate(person)]
        return [person]

    def _grandmother(self, house: House, culture: Culture, child_age: int) -> PersonRow:
        age = child_age + 18 + int(self._random() * 15)
        return self._individuals.adult(
            house,
            culture,
            woman=True,
            born=self._born(age),
            surname=self._individuals.surname(culture),
            civil=Civil(RELATION["parent"], MARITAL["widowed"]),
            died=self._random() < traits.death_share(age),
        )

    def _house(self) -> tuple[House, Culture]:
        random = self._random
        district = self._individuals.district()
        culture = self._individuals.culture(district)
        issued = self._calendar.today - int(random() * 5000)
        key = district.code + self._calendar.in_nik_of_man[issued]
        serial = self._cards.get(key, 0) + 1
        self._cards[key] = serial
        kind = culture.settlements[int(random() * len(culture.settlements))]
        street = traits.STREETS[int(random() * len(traits.STREETS))]
        number = 1 + int(random() * 180)
        in_town = random() < 0.5
        house = House(
            district=district,
            card=f"{key}{serial:04d}",
            village=district.villages[int(random() * len(district.villages))],
            address=f"JL. {street} NO. {number}" if in_town else f"{kind} {street} {number}",
            rt=f"{1 + int(random() * 12):03d}",
            rw=f"{1 + int(random() * 9):03d}",
            hamlet=None if in_town else f"{kind} {street}",
            religion=culture.religions[int(random() * len(culture.religions))],
        )
        return house, culture

    def _born(self, age: int) -> int:
        return self._calendar.today - int((age + self._random()) * YEAR_DAYS)

    def _marriage_number(self, day: int) -> str:
        month = _MONTHS[int(self._calendar.iso[day][5:7]) - 1]
        return f"{1 + int(self._random() * 900):04d}/{month}/{self._calendar.year[day]}"
