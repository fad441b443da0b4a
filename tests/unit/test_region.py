"""The region table: what a NIK's prefix says, over several editions of the code list."""

from __future__ import annotations

import pytest

from padan_server.domain.region import COUNTRY, RegionTable, Standing


@pytest.fixture(scope="module")
def table() -> RegionTable:
    return RegionTable.published()


def test_the_newest_edition_is_complete(table: RegionTable) -> None:
    assert len(table.current("province")) == 38
    assert len(table.current("regency")) == 514
    assert len(table.current("district")) == 7285
    assert sum(len(district.villages) for district in table.current("district")) == 83762


def test_a_current_prefix_names_its_regions(table: RegionTable) -> None:
    found = table.lookup("317101")
    assert found.standing is Standing.CURRENT
    assert (found.district, found.regency) == ("Gambir", "Kota Administrasi Jakarta Pusat")
    assert found.regency_now == "3171"


def test_a_prefix_of_papua_before_its_split_is_retired_not_unknown(table: RegionTable) -> None:
    found = table.lookup("910101")
    assert found.standing is Standing.RETIRED
    assert found.regency == "Kabupaten Merauke"
    assert (found.regency_now, found.province_now) == ("9301", "93")
    merauke = table.get("910101")
    assert merauke is not None
    assert merauke.successors == ("930101",)


def test_a_district_of_a_split_older_than_the_editions_is_retired_by_its_regency(
    table: RegionTable,
) -> None:
    found = table.lookup("647301")
    assert found.standing is Standing.RETIRED
    assert found.district is None
    assert found.regency_now == "6571"


def test_a_regency_with_two_possible_successors_is_not_followed(table: RegionTable) -> None:
    assert table.lookup("640501").standing is Standing.RETIRED
    assert table.regency_now("6405") == "6405"


@pytest.mark.parametrize("prefix", ["990101", "317199", "000000"])
def test_a_prefix_that_no_edition_has_is_unknown(table: RegionTable, prefix: str) -> None:
    assert table.lookup(prefix).standing is Standing.UNKNOWN


def test_every_successor_is_current_and_every_retired_code_has_one(table: RegionTable) -> None:
    for level in ("province", "regency", "district"):
        for region in table.retired(level):
            assert region.successors
            for code in region.successors:
                heir = table.get(code)
                assert heir is not None
                assert table.is_current(heir)
                assert len(code) <= len(region.code)


def test_every_parent_is_in_the_table(table: RegionTable) -> None:
    for region in table.current("district") + table.current("regency"):
        assert region.parent is not None
        assert table.get(region.parent) is not None


def test_packed_villages_are_unpacked_to_full_codes() -> None:
    text = (
        "code,level,name,first_edition,last_edition,successors,villages,postal_code\n"
        "11,province,A,2025,2025,,,\n"
        "110101,district,B,2025,2025,,1001 2002-2004,12345\n"
    )
    district = RegionTable.parse(text).get("110101")
    assert district is not None
    assert district.villages == ("1101011001", "1101012002", "1101012003", "1101012004")


def test_a_code_that_does_not_fit_its_level_is_refused() -> None:
    text = (
        "code,level,name,first_edition,last_edition,successors,villages,postal_code\n"
        "1101,district,B,2025,2025,,,\n"
    )
    with pytest.raises(ValueError, match="does not fit"):
        RegionTable.parse(text)


def test_the_retired_are_those_that_only_older_editions_have(table: RegionTable) -> None:
    retired = {level: table.retired(level) for level in ("province", "regency", "district")}
    read = [region for region in retired["regency"] if region.last_edition != "before-2018"]
    assert (len(retired["province"]), len(read), len(retired["district"])) == (0, 28, 594)
    assert all(region.first_edition <= region.last_edition < "2025" for region in read)


def test_what_lies_within_a_region_begins_with_its_code(table: RegionTable) -> None:
    assert table.within("ID", "regency", retired=False) == table.current("regency")
    papua = table.within("91", "regency", retired=True)
    assert papua == tuple(sorted(papua, key=lambda region: region.code))
    assert {region.code[:2] for region in papua} == {"91"}
    current = [region for region in papua if table.is_current(region)]
    assert table.within("91", "regency", retired=False) == tuple(current)
    assert len(papua) > len(current)
    assert table.within("3171", "regency", retired=True)[0].code == "3171"
    assert table.within("9999", "district", retired=True) == ()


def test_the_country_is_a_region_of_its_own(table: RegionTable) -> None:
    country = table.country
    assert (country.code, country.level, country.parent) == (COUNTRY, "centre", None)
    assert table.is_current(country)
    assert table.get(COUNTRY) is None
