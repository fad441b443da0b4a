"""The closed sets of the contract as Python enums, named as in the proto without their prefix.

Answers of a newer service can hold values that this version does not know: they read as
UNRECOGNISED, and the number stands in the answer's `message`.
"""

from __future__ import annotations

from enum import StrEnum


class Purpose(StrEnum):
    """Why a partner asks; each must be granted by the agreement (PKS)."""

    ACCOUNT_OPENING = "ACCOUNT_OPENING"
    CREDIT_ASSESSMENT = "CREDIT_ASSESSMENT"
    PATIENT_REGISTRATION = "PATIENT_REGISTRATION"
    INSURANCE_CLAIM = "INSURANCE_CLAIM"
    SIM_REGISTRATION = "SIM_REGISTRATION"
    PUBLIC_SERVICE = "PUBLIC_SERVICE"
    BUDGET_ALLOCATION = "BUDGET_ALLOCATION"
    DEVELOPMENT_PLANNING = "DEVELOPMENT_PLANNING"
    DEMOCRACY = "DEMOCRACY"
    LAW_ENFORCEMENT = "LAW_ENFORCEMENT"


class Element(StrEnum):
    """An element of a person's record, named as the field of the proto message Person."""

    FULL_NAME = "full_name"
    BIRTH_PLACE = "birth_place"
    BIRTH_DATE = "birth_date"
    SEX = "sex"
    MOTHER_NAME = "mother_name"
    FATHER_NAME = "father_name"
    FAMILY_CARD_NUMBER = "family_card_number"
    ADDRESS = "address"
    RT = "rt"
    RW = "rw"
    PROVINCE_CODE = "province_code"
    REGENCY_CODE = "regency_code"
    DISTRICT_CODE = "district_code"
    VILLAGE_CODE = "village_code"
    MARITAL_STATUS = "marital_status"
    RELIGION = "religion"
    OCCUPATION = "occupation"
    EDUCATION = "education"
    BLOOD_TYPE = "blood_type"
    FAMILY_RELATION = "family_relation"
    POSTAL_CODE = "postal_code"
    CHANNEL = "channel"
    HAPPENED_AT = "happened_at"
    COMMITTED_AT = "committed_at"


class Sex(StrEnum):
    """Sex as recorded."""

    MALE = "MALE"
    FEMALE = "FEMALE"


class MaritalStatus(StrEnum):
    """Marital status as recorded."""

    SINGLE = "SINGLE"
    MARRIED = "MARRIED"
    DIVORCED = "DIVORCED"
    WIDOWED = "WIDOWED"


class Channel(StrEnum):
    """How the last change of a record came in; OUTREACH is *jemput bola*."""

    OFFICE = "OFFICE"
    OUTREACH = "OUTREACH"
    CENTRAL = "CENTRAL"
    UNRECOGNISED = "UNRECOGNISED"


class RegionLevel(StrEnum):
    """A level of the code list of regions."""

    CENTRE = "CENTRE"
    PROVINCE = "PROVINCE"
    REGENCY = "REGENCY"
    DISTRICT = "DISTRICT"
    UNRECOGNISED = "UNRECOGNISED"


class Outcome(StrEnum):
    """What came of a call. Only MATCHED (Verify) and FOUND (Lookup) are a yes."""

    MATCHED = "MATCHED"
    MISMATCHED = "MISMATCHED"
    NOT_FOUND = "NOT_FOUND"
    DECEASED = "DECEASED"
    DUPLICATE = "DUPLICATE"
    INACTIVE = "INACTIVE"
    NOT_YET_REPLICATED = "NOT_YET_REPLICATED"
    FOUND = "FOUND"
    UNRECOGNISED = "UNRECOGNISED"


class FieldResult(StrEnum):
    """How one claim compares with the record."""

    MATCH = "MATCH"
    CLOSE = "CLOSE"
    DIFFERENT = "DIFFERENT"
    NOT_ON_RECORD = "NOT_ON_RECORD"
    UNRECOGNISED = "UNRECOGNISED"


class MatchRule(StrEnum):
    """Why a claim matched although it was not written the same."""

    EXACT = "EXACT"
    NORMALISED = "NORMALISED"
    UNRECOGNISED = "UNRECOGNISED"


class Signal(StrEnum):
    """Something to know beside the outcome; none of them is a fault of the person."""

    NIK_CONTRADICTS_BIRTH_DATE = "NIK_CONTRADICTS_BIRTH_DATE"
    NIK_CONTRADICTS_SEX = "NIK_CONTRADICTS_SEX"
    RETIRED_PREFIX = "RETIRED_PREFIX"
    UNKNOWN_PREFIX = "UNKNOWN_PREFIX"
    BIRTH_DATE_TRANSPOSED = "BIRTH_DATE_TRANSPOSED"
    REGION_BEHIND = "REGION_BEHIND"
    OUTREACH_PENDING = "OUTREACH_PENDING"
    UNRECOGNISED = "UNRECOGNISED"
