"""The synthetic population: the same for a seed, true to the NIK's rules, families that fit."""

from __future__ import annotations

from collections import Counter
from datetime import date

import pytest

from padan_server.adapters.registry_tables import person as person_table
from padan_server.domain import nik as nik_rule
from padan_server.domain.region import RegionTable, Standing
from padan_server.embedded.documented import NOT_CENTRALISED, documented_people
from padan_server.embedded.names.composition import old_spelling
from padan_server.embedded.population import PEOPLE_MIN, part_of_people, people
from padan_server.embedded.rows import PersonRow, copy_line

COUNT = 20_000
TRAITS_SEED = 7


@pytest.fixture(scope="module")
def population() -> list[PersonRow]:
    return list(people(COUNT, TRAITS_SEED))


@pytest.fixture(scope="module")
def by_nik(population: list[PersonRow]) -> dict[str, PersonRow]:
    return {row.nik: row for row in population}


@pytest.fixture(scope="module")
def regions() -> RegionTable:
    return RegionTable.published()


def test_a_seed_gives_the_same_people_and_another_seed_others() -> None:
    first = list(people(2_000, 1))
    assert list(people(2_000, 1)) == first
    other = {row.nik for row in people(2_000, 2)}
    shared = {row.nik for row in first} & other
    assert len(shared) < 2_000 // 10


def test_shards_made_apart_are_the_whole() -> None:
    apart = [row for part in range(3) for row in part_of_people(2_000, 1, range(part, 128, 3))]
    assert sorted(apart) == sorted(people(2_000, 1))


@pytest.mark.parametrize("count", [PEOPLE_MIN, PEOPLE_MIN + 1, 1_234])
def test_there_are_exactly_as_many_people_as_asked(count: int) -> None:
    assert len(list(people(count, 1))) == count


def test_too_few_or_too_many_people_are_refused() -> None:
    with pytest.raises(ValueError, match="people must be"):
        list(people(PEOPLE_MIN - 1, 1))


def test_the_row_has_the_tables_columns_in_order() -> None:
    own = tuple(c.name for c in person_table.columns if c.name != "source_position")
    assert PersonRow._fields == own  # the registry of synthetic people is its own source


def test_no_value_needs_escaping_in_a_copy_line(population: list[PersonRow]) -> None:
    for row in population:
        line = copy_line(row)
        assert line.count("\t") == len(PersonRow._fields) - 1
        assert line.replace("\\N", "").isprintable() is False  # the tabs and the line's end
        assert "\\" not in line.replace("\\N", "")


def test_every_nik_is_well_formed_and_given_once(
    population: list[PersonRow], by_nik: dict[str, PersonRow]
) -> None:
    assert len(by_nik) == COUNT
    for row in population:
        nik_rule.parse(row.nik)


def test_niks_tell_sex_and_birth_date_but_for_a_few_corrections(
    population: list[PersonRow],
) -> None:
    contradictions = 0
    for row in population:
        nik = nik_rule.parse(row.nik)
        assert nik_rule.is_female(nik) == (row.sex == "2")
        born = date.fromisoformat(row.birth_date)
        contradictions += nik_rule.contradicts_birth_date(nik, born)
    assert 1 <= contradictions <= COUNT // 100


def test_serials_count_up_from_one(population: list[PersonRow]) -> None:
    serials: dict[str, list[int]] = {}
    for row in population:
        if row.nik[12] != "9":  # the documented ones
            serials.setdefault(row.nik[:12], []).append(int(row.nik[12:]))
    for given in serials.values():
        assert sorted(given) == list(range(1, len(given) + 1))


def test_prefixes_are_of_known_editions_and_some_are_retired(
    population: list[PersonRow], regions: RegionTable
) -> None:
    standings = Counter(regions.lookup(row.nik[:6]).standing for row in population)
    assert standings[Standing.UNKNOWN] == 1  # the documented one
    assert standings[Standing.RETIRED] > 50
    for row in population:
        if regions.lookup(row.nik[:6]).standing is Standing.RETIRED:
            assert row.village_code >= "91"


def test_everyone_lives_in_a_village_that_exists(
    population: list[PersonRow], regions: RegionTable
) -> None:
    for row in population:
        district = regions.get(row.village_code[:6])
        assert district is not None
        assert row.village_code in district.villages


def test_a_mother_and_a_father_on_record_are_who_the_child_says(
    population: list[PersonRow], by_nik: dict[str, PersonRow]
) -> None:
    children = [row for row in population if row.mother_nik is not None]
    assert len(children) > COUNT // 4
    for child in children:
        assert child.mother_nik is not None
        mother = by_nik[child.mother_nik]
        assert mother.full_name == child.mother_name
        assert mother.sex == "2"
        assert mother.family_card_number == child.family_card_number
        if child.father_nik is not None:
            father = by_nik[child.father_nik]
            assert father.full_name == child.father_name
            assert father.sex == "1"


def test_mothers_are_of_an_age_to_be(
    population: list[PersonRow], by_nik: dict[str, PersonRow]
) -> None:
    for child in population:
        if child.mother_nik is not None:
            mother = by_nik[child.mother_nik]
            years = int(_year_in_record(child)) - int(_year_in_record(mother))
            assert 16 <= years <= 45


def test_a_card_is_one_home_with_one_living_head_at_most(population: list[PersonRow]) -> None:
    documented = {person.nik for person in documented_people()}
    cards: dict[str, list[PersonRow]] = {}
    for row in population:
        if row.nik not in documented and row.record_status != "3":
            cards.setdefault(row.family_card_number, []).append(row)
    for members in cards.values():
        assert len({(row.village_code, row.address, row.rt, row.rw) for row in members}) == 1
        assert sum(row.family_relation == "1" for row in members) == 1
    assert max(map(len, cards.values())) >= 5


def test_names_keep_within_sixty_capitals(population: list[PersonRow]) -> None:
    for row in population:
        for name in (row.full_name, row.mother_name, row.father_name):
            assert name is not None
            assert name == name.upper()
            assert 2 <= len(name) <= 60
            assert name == " ".join(name.split())


def test_every_hard_case_is_there(population: list[PersonRow]) -> None:
    assert _count(population, lambda row: row.life_status == "2") > COUNT // 100
    assert _count(population, lambda row: row.record_status == "2") > COUNT // 500
    assert _count(population, lambda row: row.record_status == "3") > COUNT // 1000
    assert _count(population, lambda row: " " not in row.full_name) > COUNT // 100
    assert _count(population, lambda row: "OE" in row.full_name) > COUNT // 200
    assert _count(population, lambda row: row.title_academic is not None) > COUNT // 200
    assert _count(population, lambda row: row.title_religious is not None) > COUNT // 500
    assert _count(population, lambda row: row.title_noble is not None) > COUNT // 1000
    assert _count(population, lambda row: row.birth_date < "1926") > 2
    assert _count(population, lambda row: row.channel == "OUTREACH") > COUNT // 50
    moved = _count(population, lambda row: row.nik[:6] != row.village_code[:6])
    assert COUNT // 20 < moved < COUNT // 4


def test_there_are_twins_with_neighbouring_serials(population: list[PersonRow]) -> None:
    twins = 0
    last: PersonRow | None = None
    for row in population:
        if (
            last is not None
            and row.record_status != "3"
            and row.mother_nik is not None
            and row.mother_nik == last.mother_nik
            and int(row.nik) - int(last.nik) == 1
        ):
            twins += 1
        last = row
    assert twins > 5


def test_people_are_spread_over_the_provinces_as_the_country_is(
    population: list[PersonRow],
) -> None:
    provinces = Counter(row.village_code[:2] for row in population)
    assert len(provinces) == 38
    for province, share in {"32": 0.178, "35": 0.146, "33": 0.134, "12": 0.055}.items():
        assert provinces[province] / COUNT == pytest.approx(share, rel=0.2)


@pytest.mark.parametrize(
    ("province", "words"),
    [
        ("12", ("SIREGAR", "SINAGA", "NASUTION", "PURBA")),
        ("51", ("I WAYAN", "NI MADE", "I KETUT", "NI PUTU")),
        ("73", ("ANDI", "DAENG", "MUH.", "BESSE")),
        ("95", ("WENDA", "KOGOYA", "TABUNI", "WONDA")),
    ],
)
def test_names_fit_the_province(
    population: list[PersonRow], province: str, words: tuple[str, ...]
) -> None:
    there = [row.full_name for row in population if row.village_code[:2] == province]
    assert any(word in name for name in there for word in words)


def test_documented_people_are_in_every_population_with_their_properties(
    by_nik: dict[str, PersonRow], regions: RegionTable
) -> None:
    documented = {person.key: person for person in documented_people()}
    assert len(documented) == len(documented_people())
    for person in documented.values():
        assert by_nik.get(person.nik) == person.row
        nik_rule.parse(person.nik)
    child, mother = documented["her-child"].row, documented["ordinary-woman"].row
    assert child is not None
    assert mother is not None
    assert (child.mother_nik, child.mother_name) == (mother.nik, mother.full_name)
    assert int(documented["second-twin"].nik) - int(documented["first-twin"].nik) == 1
    standing = regions.lookup(documented["retired-prefix"].nik[:6]).standing
    assert standing is Standing.RETIRED
    assert documented["not-yet-centralised"].nik[:4] in NOT_CENTRALISED
    assert documented["not-yet-centralised"].row is None


def test_old_spelling_changes_each_letter_once() -> None:
    assert old_spelling("SUKARJO CAHYONO") == "SOEKARDJO TJAHJONO"
    assert old_spelling("NYAI SYARIFAH KHADIJAH") == "NJAI SJARIFAH CHADIDJAH"


def _count(rows: list[PersonRow], holds: object) -> int:
    assert callable(holds)
    return sum(bool(holds(row)) for row in rows)


def _year_in_record(row: PersonRow) -> str:
    return row.birth_date[:4]
