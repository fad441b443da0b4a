"""Fixed test identities: people (and absences) with one known property each.

They are part of every population, whatever its seed, so that demos, tests and partners trying the
service can name them. All are made up: CONTOH means "example", and no office gives serials from
9001 on.
"""

from __future__ import annotations

from dataclasses import dataclass

from padan_server.embedded.rows import PersonRow

NOT_CENTRALISED = ("9408", "9502", "9504", "5320", "8109", "6112")
"""Regencies that, in this synthetic registry, still keep a register of their own."""

OUTREACH_PENDING = ("5301", "6501", "7406", "9103", "9206")
"""Centralised regencies with outreach results still to come, in this synthetic registry."""


@dataclass(frozen=True, slots=True)
class DocumentedPerson:
    """An identity to test with. `row` is None for one that the registry does not have."""

    key: str
    nik: str
    shows: str
    outcome: str
    """What a verification that claims the record's own values answers: an Outcome of the API."""
    row: PersonRow | None


def documented_people() -> tuple[DocumentedPerson, ...]:
    """All documented identities, in the order in which they are shown."""
    return tuple(
        DocumentedPerson(key=key, nik=nik, shows=shows, outcome=outcome, row=row)
        for key, shows, outcome, nik, row in (*_ON_RECORD, *_ABSENT)
    )


def _row(nik: str, full_name: str, birth_date: str, **values: str | None) -> PersonRow:
    """A complete, ordinary record; `values` are what is special about it."""
    ordinary: dict[str, str | None] = {
        "family_card_number": "3171010101209001",
        "title_religious": None,
        "title_academic": None,
        "title_noble": None,
        "birth_place": "JAKARTA PUSAT",
        "sex": "2" if nik[6] >= "4" else "1",
        "blood_type": "13",
        "religion": "1",
        "marital_status": "1",
        "family_relation": "1",
        "education": "5",
        "occupation": "15",
        "nationality": "INDONESIA",
        "birth_certificate_number": None,
        "marriage_certificate_number": None,
        "marriage_date": None,
        "divorce_certificate_number": None,
        "divorce_date": None,
        "mother_nik": None,
        "mother_name": "AMINAH CONTOH",
        "father_nik": None,
        "father_name": "AHMAD CONTOH",
        "village_code": "3171011001",
        "address": "JL. CONTOH NO. 1",
        "rt": "001",
        "rw": "002",
        "hamlet": None,
        "postal_code": "10110",
        "life_status": "1",
        "record_status": "1",
        "card_status": "CARD_ISSUED",
        "channel": "OFFICE",
        "happened_at": "2024-03-01 09:00:00+07",
        "entered_at": "2024-03-01 09:00:00+07",
        "changed_at": "2024-03-01 09:00:00+07",
        "record_version": "1",
    }
    fields = {"nik": nik, "full_name": full_name, "birth_date": birth_date, **ordinary, **values}
    return PersonRow(**fields)  # type: ignore[arg-type]


def _on_record(
    key: str, shows: str, outcome: str, row: PersonRow
) -> tuple[str, str, str, str, PersonRow | None]:
    return key, shows, outcome, row.nik, row


def _absent(key: str, shows: str, outcome: str, nik: str) -> tuple[str, str, str, str, None]:
    return key, shows, outcome, nik, None


_MOTHER = _row(
    "3171015203909001",
    "SITI CONTOH LESTARI",
    "1990-03-12",
    marital_status="2",
    family_relation="3",
    marriage_certificate_number="0123/VI/2012",
    marriage_date="2012-06-09",
    occupation="65",
    education="8",
    title_academic="S.PD.",
)

_ON_RECORD = (
    _on_record("ordinary-woman", "alive, active, everything on record", "MATCHED", _MOTHER),
    _on_record(
        "her-child",
        "mother_nik and mother_name are the ordinary woman's",
        "MATCHED",
        _row(
            "3171014508159001",
            "PUTRI CONTOH RAHAYU",
            "2015-08-05",
            family_relation="4",
            mother_nik=_MOTHER.nik,
            mother_name=_MOTHER.full_name,
            education="2",
            occupation="3",
            card_status="UNREGISTERED",
        ),
    ),
    _on_record(
        "deceased",
        "died; the record stays",
        "DECEASED",
        _row("3273010107489001", "ASEP CONTOH SUPRIATNA", "1948-07-01", life_status="2",
             birth_place="BANDUNG", village_code="3273011001", marital_status="2",
             family_card_number="3273010101209001"),
    ),
    _on_record(
        "inactive",
        "the record is inactive: the person must see the Dinas",
        "INACTIVE",
        _row("3578012310859001", "BAMBANG CONTOH UTOMO", "1985-10-23", record_status="2",
             birth_place="SURABAYA", village_code="3578011001",
             family_card_number="3578010101209001"),
    ),
    _on_record(
        "duplicate",
        "a second record of one person, found out",
        "DUPLICATE",
        _row("1271016611929001", "ROTUA CONTOH SIREGAR", "1992-11-26", record_status="3",
             birth_place="MEDAN", village_code="1271011001", family_card_number="1271010101209001",
             religion="2", card_status="DUPLICATE_RECORD"),
    ),
    _on_record(
        "retired-prefix",
        "registered under 910101, which the split of Papua retired",
        "MATCHED",
        _row("9101011704809001", "MARTEN CONTOH RUMBIAK", "1980-04-17", birth_place="MERAUKE",
             village_code="9301012001", family_card_number="9301010101239001", religion="2",
             postal_code="99604"),
    ),
    _on_record(
        "unknown-prefix",
        "registered under 990101, which no edition of the code list has",
        "MATCHED",
        _row("9901014109779001", "MARIA CONTOH TALLO", "1977-09-01",
             birth_place="TIDAK DIKETAHUI", village_code="5371011001",
             family_card_number="5371010101209001", religion="3", postal_code=None),
    ),
    _on_record(
        "mononym",
        "one word is the whole name; registered late, by outreach",
        "MATCHED",
        _row("3402015512559001", "PONIRAH", "1955-12-15", birth_place="BANTUL",
             village_code="3402012001", family_card_number="3402010101209001",
             mother_name="PAIRAH", father_name="SUKARDI", hamlet="DUSUN CONTOH",
             channel="OUTREACH", happened_at="2024-01-20 10:00:00+07"),
    ),
    _on_record(
        "mover",
        "registered in Padang, lives in Jakarta",
        "MATCHED",
        _row("1371010802889001", "AFRIZAL CONTOH TANJUNG", "1988-02-08", birth_place="PADANG"),
    ),
    _on_record(
        "first-twin",
        "the second twin's NIK is this one plus 1",
        "MATCHED",
        _row("5171012505019001", "I PUTU CONTOH ARTAWAN", "2001-05-25", religion="4",
             birth_place="DENPASAR", village_code="5171011001", family_relation="4",
             family_card_number="5171010101209001"),
    ),
    _on_record(
        "second-twin",
        "the first twin's NIK is this one minus 1",
        "MATCHED",
        _row("5171012505019002", "I KADEK CONTOH ARIAWAN", "2001-05-25", religion="4",
             birth_place="DENPASAR", village_code="5171011001", family_relation="4",
             family_card_number="5171010101209001"),
    ),
    _on_record(
        "old-spelling",
        "the name is written as before 1972: oe, dj, tj",
        "MATCHED",
        _row("3374012808519001", "SOEPARDJO TJONTOH", "1951-08-28", birth_place="SEMARANG",
             village_code="3374011001", family_card_number="3374010101209001",
             mother_name="SOEMINAH", father_name="KARTODJO"),
    ),
    _on_record(
        "titled",
        "titles stand in columns of their own and are no part of the name",
        "MATCHED",
        _row("7371014402709001", "ANDI CONTOH TENRI", "1970-02-04", birth_place="MAKASSAR",
             title_religious="HJ.", title_academic="S.E.", title_noble="KARAENG",
             village_code="7371011001", family_card_number="7371010101209001", education="8"),
    ),
    _on_record(
        "corrected-birth-date",
        "the birth date was corrected to 1979-01-06; the NIK still says 1 June",
        "MATCHED",
        _row("6371010106799001", "HAMDANI CONTOH NOOR", "1979-01-06", birth_place="BANJARMASIN",
             village_code="6371011001", family_card_number="6371010101209001"),
    ),
    _on_record(
        "centenarian",
        "born in 1919: the NIK's two-digit year could as well be 2019",
        "MATCHED",
        _row("1312015001199001", "UPIK CONTOH", "1919-01-10", birth_place="PASAMAN BARAT",
             village_code="1312012001", family_card_number="1312010101209001",
             marital_status="4", occupation="2", education="1"),
    ),
    _on_record(
        "outreach-region",
        "lives where outreach results are still to come: OUTREACH_PENDING",
        "MATCHED",
        _row("5301065404889001", "YULIANA CONTOH BANI", "1988-04-14", birth_place="KUPANG",
             village_code="5301062002", family_card_number="5301060101209001", religion="2",
             channel="OUTREACH", happened_at="2024-02-12 08:00:00+08",
             entered_at="2024-03-04 09:00:00+07", changed_at="2024-03-04 09:00:00+07"),
    ),
    _on_record(
        "region-behind",
        "lives in a regency that is not centralised: a mismatch is not charged",
        "MATCHED",
        _row("9502010309839001", "YULIUS CONTOH WENDA", "1983-09-03",
             birth_place="PEGUNUNGAN BINTANG", village_code="9502012001",
             family_card_number="9502010101239001", religion="2"),
    ),
)  # fmt: skip

_ABSENT = (
    _absent(
        "not-registered",
        "absent; the regency's records are complete",
        "NOT_FOUND",
        "3171014101919999",
    ),
    _absent(
        "not-yet-centralised",
        "absent; the regency still keeps a register of its own",
        "NOT_YET_REPLICATED",
        f"{NOT_CENTRALISED[2]}011206949999",
    ),
    _absent(
        "outreach-pending",
        "absent; outreach results of the regency are still to come: OUTREACH_PENDING",
        "NOT_FOUND",
        f"{OUTREACH_PENDING[0]}065107029999",
    ),
)
