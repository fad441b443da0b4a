"""A person's record as the registry copy holds it, and how old that copy is."""

from __future__ import annotations

from datetime import date
from enum import IntEnum

import msgspec


class LifeStatus(IntEnum):
    """STAT_HIDUP."""

    ALIVE = 1
    DECEASED = 2


class RecordStatus(IntEnum):
    """FLAG_STATUS."""

    ACTIVE = 1
    INACTIVE = 2
    DUPLICATE = 3


class Record(msgspec.Struct, frozen=True, array_like=True):
    """One person's record (SIAK "biodata"), without the protected elements.

    Empty string or 0 where nothing is on record. Codes are SIAK's. `village_code` is the present
    residence, 10 digits, or shorter where only the upper levels are known. Of the last change,
    `channel` is how it came in (OFFICE, OUTREACH or CENTRAL), `happened_at` when it happened in
    the field, and `committed_at` when the registry took it, in seconds since the epoch.
    """

    nik: str
    full_name: str
    birth_place: str
    birth_date: date
    sex: int
    mother_name: str
    father_name: str
    family_card_number: str
    address: str
    rt: str
    rw: str
    village_code: str
    marital_status: int
    religion: int
    occupation: int
    education: int
    blood_type: int
    family_relation: int
    postal_code: str
    life_status: LifeStatus
    record_status: RecordStatus
    version: int
    channel: str
    happened_at: float
    committed_at: float


class Finding(msgspec.Struct, frozen=True):
    """What the registry copy says about one NIK.

    `record` is None if no record has the NIK. `as_of` is in seconds since the epoch, UTC: the copy
    held every change committed at the registry up to then. `beat` is the number of the heartbeat
    that the copy showed with it: numbers order what clocks may not.
    """

    record: Record | None
    as_of: float
    beat: int = 0
