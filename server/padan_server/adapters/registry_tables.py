"""The registry's tables as SQLAlchemy Core sees them; each person column names its SIAK element.

Elements that the law protects (disability, fingerprint, iris, signature, physical condition) have
no column: what is not here cannot leak. The schema's owner is migrations/registry; a test holds
the two equal.
"""

from __future__ import annotations

from sqlalchemy import (
    CHAR,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Identity,
    Index,
    MetaData,
    SmallInteger,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import UserDefinedType


class Xid8(UserDefinedType[int]):
    """PostgreSQL's 64-bit transaction id, which never wraps."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """Name the type in DDL."""
        return "xid8"


metadata = MetaData()

person = Table(
    "person",
    metadata,
    Column("nik", Text, primary_key=True, comment="NIK"),
    Column("family_card_number", Text, nullable=False, comment="NO_KK"),
    Column("full_name", Text, nullable=False, comment="NAMA_LGKP"),
    Column("title_religious", Text, comment="GLR_AGAMA"),
    Column("title_academic", Text, comment="GLR_AKADEMIS"),
    Column("title_noble", Text, comment="GLR_BANGSAWAN"),
    Column("birth_place", Text, nullable=False, comment="TMPT_LHR"),
    Column("birth_date", Date, nullable=False, comment="TGL_LHR"),
    Column("sex", SmallInteger, nullable=False, comment="JENIS_KLMIN"),
    Column("blood_type", SmallInteger, nullable=False, comment="GOL_DRH"),
    Column("religion", SmallInteger, nullable=False, comment="AGAMA"),
    Column("marital_status", SmallInteger, nullable=False, comment="STAT_KWN"),
    Column("family_relation", SmallInteger, nullable=False, comment="STAT_HBKEL"),
    Column("education", SmallInteger, nullable=False, comment="PDDK_AKH"),
    Column("occupation", SmallInteger, nullable=False, comment="JENIS_PKRJN"),
    Column("nationality", Text, nullable=False, comment="KEBANGSAAN"),
    Column("birth_certificate_number", Text, comment="NO_AKTA_LHR"),
    Column("marriage_certificate_number", Text, comment="NO_AKTA_KWN"),
    Column("marriage_date", Date, comment="TGL_KWN"),
    Column("divorce_certificate_number", Text, comment="NO_AKTA_CRAI"),
    Column("divorce_date", Date, comment="TGL_CRAI"),
    Column("mother_nik", Text, comment="NIK_IBU"),
    Column("mother_name", Text, comment="NAMA_LGKP_IBU"),
    Column("father_nik", Text, comment="NIK_AYAH"),
    Column("father_name", Text, comment="NAMA_LGKP_AYAH"),
    Column(
        "village_code",
        CHAR(10),
        nullable=False,
        comment="NO_PROP to NO_KEL: where the person lives now (Kepmendagri code)",
    ),
    Column("address", Text, nullable=False, comment="ALAMAT"),
    Column("rt", Text, nullable=False, comment="NO_RT"),
    Column("rw", Text, nullable=False, comment="NO_RW"),
    Column("hamlet", Text, comment="DUSUN"),
    Column("postal_code", Text, comment="KODE_POS"),
    Column("life_status", SmallInteger, nullable=False, comment="STAT_HIDUP: 1 alive, 2 deceased"),
    Column(
        "record_status",
        SmallInteger,
        nullable=False,
        comment="FLAG_STATUS: 1 active, 2 inactive, 3 duplicate",
    ),
    Column("card_status", Text, nullable=False, comment="EKTP_CURRENT_STATUS_CODE"),
    Column(
        "channel",
        Text,
        nullable=False,
        comment="How the last event came in: OFFICE, OUTREACH (jemput bola) or CENTRAL",
    ),
    Column(
        "happened_at",
        DateTime(timezone=True),
        nullable=False,
        comment="When the last event happened; with OUTREACH often days before its entry",
    ),
    Column("entered_at", DateTime(timezone=True), nullable=False, comment="TGL_ENTRI"),
    Column("changed_at", DateTime(timezone=True), nullable=False, comment="TGL_UBAH"),
    Column(
        "record_version",
        BigInteger,
        nullable=False,
        server_default=text("1"),
        comment="Raised by one with every change (trigger)",
    ),
    CheckConstraint("nik ~ '^[0-9]{16}$'", name="person_nik_form"),
    CheckConstraint("family_card_number ~ '^[0-9]{16}$'", name="person_family_card_form"),
    CheckConstraint("sex IN (1, 2)", name="person_sex_known"),
    CheckConstraint("life_status IN (1, 2)", name="person_life_status_known"),
    CheckConstraint("record_status IN (1, 2, 3)", name="person_record_status_known"),
    CheckConstraint("channel IN ('OFFICE', 'OUTREACH', 'CENTRAL')", name="person_channel_known"),
    comment="SIAK biodata, as far as verification needs it",
)

region = Table(
    "region",
    metadata,
    Column("code", Text, primary_key=True, comment="Kepmendagri code: 2, 4 or 6 digits"),
    Column("level", Text, nullable=False, comment="province, regency (or city) or district"),
    Column("name", Text, nullable=False),
    Column("parent", Text, comment="The code one level up"),
    Column("first_edition", Text, nullable=False, comment="Oldest edition of the list with it"),
    Column("last_edition", Text, nullable=False, comment="Newest edition of the list with it"),
    Column(
        "successors", ARRAY(Text), comment="Codes that took a retired one over; null if current"
    ),
    CheckConstraint("level IN ('province', 'regency', 'district')", name="region_level_known"),
    comment="Region codes of all editions, retired ones included",
)

change_feed = Table(
    "change_feed",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column(
        "xid",
        Xid8,
        nullable=False,
        server_default=text("pg_current_xact_id()"),
        comment="Read by xid >= the last snapshot's xmin: commit order is not id order",
    ),
    Column("nik", Text, nullable=False),
    Column("region", Text, nullable=False, comment="Regency code of the person's residence"),
    Column("channel", Text, nullable=False),
    Column("happened_at", DateTime(timezone=True), nullable=False),
    Column(
        "committed_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=text("clock_timestamp()"),
    ),
    Index("change_feed_xid", "xid"),
    comment="One row for every change of a person, written by a trigger",
)

heartbeat = Table(
    "heartbeat",
    metadata,
    Column("one", Boolean, primary_key=True, server_default=text("true")),
    Column("beat_at", DateTime(timezone=True), nullable=False),
    CheckConstraint("one", name="heartbeat_one_row"),
    comment="One row. A copy that shows a beat holds everything committed before it",
)

watermark = Table(
    "watermark",
    metadata,
    Column("regency_code", Text, primary_key=True),
    Column("centralised_since", Date, comment="Null while the regency keeps a register of its own"),
    Column(
        "complete_to",
        DateTime(timezone=True),
        comment="The registry holds every event that this regency entered up to then",
    ),
    Column(
        "outreach_pending",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="Outreach results of this regency are still to come",
    ),
    comment="How complete the registry is, by regency",
)
