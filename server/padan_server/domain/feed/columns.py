"""The columns that a source sends, by SIAK's names, and what each becomes here.

One table to read: what is not in it is not kept. Elements that the law protects are in none of
these lists but PROTECTED, whose only use is to be left out.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from padan_server.domain.feed.values import (
    Reader,
    code,
    code_on_record,
    day,
    digits,
    moment,
    nik,
    text,
    word,
)

NAME_MAX = 60
"""SIAK's width of names and places."""
TITLE_MAX = 60
NUMBER_MAX = 60
"""Certificate numbers are free text; the longest forms in use have about 40 characters."""
ADDRESS_MAX = 255
"""SIAK shows 120; regional offices have written more."""

CHANNELS = ("OFFICE", "OUTREACH", "CENTRAL")

CARD_STATUSES = (
    "UNREGISTERED",
    "BIO_CAPTURED",
    "PROCESSING",
    "SENT_FOR_ENROLLMENT",
    "RECEIVED_AT_CENTRAL",
    "ENROLL_FAILURE_AT_CENTRAL",
    "ENROLL_FAILURE_AT_REGIONAL",
    "SEARCH_FAILURE_AT_CENTRAL",
    "ADJUDICATE_RECORD",
    "DUPLICATE_RECORD",
    "PRINT_READY_RECORD",
    "SENT_FOR_CARD_PRINTING",
    "CARD_PRINTED",
    "CARD_SHIPPED",
    "CARD_ISSUED",
)


class Column(NamedTuple):
    """A column: its name at the source and in `person`, and what it is where nothing came."""

    siak: str
    name: str
    read: Reader
    required: bool
    absent: Any


def _required(siak: str, name: str, read: Reader) -> Column:
    return Column(siak, name, read, True, None)


def _optional(siak: str, name: str, read: Reader, absent: Any = None) -> Column:
    return Column(siak, name, read, False, absent)


BIODATA = (
    _required("NIK", "nik", nik),
    _required("NO_KK", "family_card_number", digits(16)),
    _required("NAMA_LGKP", "full_name", text(NAME_MAX)),
    _optional("GLR_AGAMA", "title_religious", text(TITLE_MAX)),
    _optional("GLR_AKADEMIS", "title_academic", text(TITLE_MAX)),
    _optional("GLR_BANGSAWAN", "title_noble", text(TITLE_MAX)),
    _optional("TMPT_LHR", "birth_place", text(NAME_MAX), ""),
    _required("TGL_LHR", "birth_date", day),
    _required("JENIS_KLMIN", "sex", code_on_record(2)),
    _optional("GOL_DRH", "blood_type", code(13), 0),
    _optional("AGAMA", "religion", code(7), 0),
    _optional("STAT_KWN", "marital_status", code(4), 0),
    _optional("STAT_HBKEL", "family_relation", code(11), 0),
    _optional("PDDK_AKH", "education", code(10), 0),
    _optional("JENIS_PKRJN", "occupation", code(99), 0),
    _optional("KEBANGSAAN", "nationality", text(NAME_MAX), ""),
    _optional("NO_AKTA_LHR", "birth_certificate_number", text(NUMBER_MAX)),
    _optional("NO_AKTA_KWN", "marriage_certificate_number", text(NUMBER_MAX)),
    _optional("TGL_KWN", "marriage_date", day),
    _optional("NO_AKTA_CRAI", "divorce_certificate_number", text(NUMBER_MAX)),
    _optional("TGL_CRAI", "divorce_date", day),
    _optional("NIK_IBU", "mother_nik", text(16)),
    _optional("NAMA_LGKP_IBU", "mother_name", text(NAME_MAX)),
    _optional("NIK_AYAH", "father_nik", text(16)),
    _optional("NAMA_LGKP_AYAH", "father_name", text(NAME_MAX)),
    _optional("ALAMAT", "address", text(ADDRESS_MAX), ""),
    _optional("NO_RT", "rt", text(3), ""),
    _optional("NO_RW", "rw", text(3), ""),
    _optional("DUSUN", "hamlet", text(NAME_MAX)),
    _optional("KODE_POS", "postal_code", text(5)),
    _required("STAT_HIDUP", "life_status", code_on_record(2)),
    _required("FLAG_STATUS", "record_status", code_on_record(3)),
    _optional("EKTP_CURRENT_STATUS_CODE", "card_status", word(*CARD_STATUSES), ""),
    _optional("CHANNEL", "channel", word(*CHANNELS), "CENTRAL"),
    _required("TGL_ENTRI", "entered_at", moment),
    _optional("HAPPENED_AT", "happened_at", moment),
)
"""A person's columns; what they are read into stands in this order."""

RESIDENCE = (("NO_PROP", 2), ("NO_KAB", 2), ("NO_KEC", 2), ("NO_KEL", 4))
"""Where a person lives: the code's parts and their digits."""
RESIDENCE_WHOLE = "KODE_WILAYAH"
"""The same in one column, with or without dots."""
CHANGED = "TGL_UBAH"
"""When the source last changed the record: it stands for HAPPENED_AT where that is missing."""

PERSON = (*(column.name for column in BIODATA), "village_code")
"""The columns of `person` that a record's values are for, in their order."""

BIODATA_NAMES = frozenset(
    {
        *(column.siak for column in BIODATA),
        *(name for name, _ in RESIDENCE),
        RESIDENCE_WHOLE,
        CHANGED,
    }
)
"""All columns of a person that are read."""

BIODATA_REQUIRED = frozenset(column.siak for column in BIODATA if column.required)
"""Columns without which nobody is a person; besides, the residence is."""

NOT_KEPT = frozenset(
    {"AKTA_LHR", "AKTA_KWN", "AKTA_CRAI", "STAT_KTP", "EKTP_CREATED_DATE"}
)  # fmt: skip
"""Columns of SIAK's biodata that verification does not need."""

PROTECTED = frozenset(
    {
        "KLAIN_FSK",
        "PNYDNG_CCT",
        "SIDIK_JARI",
        "FINGERPRINT",
        "IRIS",
        "TANDA_TANGAN",
        "SIGNATURE",
        "FOTO",
    }
)
"""Elements that the law protects: never read, never stored, not in quarantine either."""

WATERMARK_NAMES = frozenset(
    {"REGENCY_CODE", "CENTRALISED_SINCE", "COMPLETE_TO", "RECORDS_EXPECTED"}
)
OUTREACH_NAMES = frozenset(
    {
        "BATCH_ID",
        "REGENCY_CODE",
        "ANNOUNCED_AT",
        "RECORDED_FROM",
        "RECORDED_UNTIL",
        "RECORDS_EXPECTED",
        "APPLIED_AT",
    }
)
HEARTBEAT_NAMES = frozenset({"TS"})

TABLES = {
    "biodata": BIODATA_NAMES,
    "watermark": WATERMARK_NAMES,
    "outreach_batch": OUTREACH_NAMES,
    "heartbeat": HEARTBEAT_NAMES,
}
"""The columns of each table that a feed can tell of."""
