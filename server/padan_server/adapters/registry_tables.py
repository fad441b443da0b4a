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
    UniqueConstraint,
    Uuid,
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
    Column(
        "source_position",
        BigInteger,
        nullable=False,
        server_default=text("0"),
        comment="Position in its source's feed of the last change; 0 without such a feed",
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
    Column("operation", Text, nullable=False),
    Column("previous_region", Text, comment="Regency code before the change, if any"),
    Column("previous_channel", Text, comment="Channel before the change, if any"),
    Index("change_feed_xid", "xid"),
    CheckConstraint(
        "operation IN ('INSERT', 'UPDATE', 'DELETE')", name="change_feed_operation_known"
    ),
    comment="One row for every change of a person, written by a trigger",
)

heartbeat = Table(
    "heartbeat",
    metadata,
    Column("one", Boolean, primary_key=True, server_default=text("true")),
    Column("beat_at", DateTime(timezone=True), nullable=False),
    Column(
        "registry",
        Uuid,
        nullable=False,
        server_default=text("gen_random_uuid()"),
        comment="Which registry this is a copy of: beats of two registries do not compare",
    ),
    Column(
        "beat",
        BigInteger,
        nullable=False,
        server_default=text("1"),
        comment="Raised by every update (trigger), whatever the clock does",
    ),
    Column(
        "timeline",
        BigInteger,
        nullable=False,
        server_default=text("0"),
        comment="The primary's timeline at the last beat (trigger)",
    ),
    Column(
        "kept_by",
        Text,
        nullable=False,
        server_default=text("'CLOCK'"),
        comment="CLOCK: this registry is its own source. FEED: beats come with a feed",
    ),
    CheckConstraint("one", name="heartbeat_one_row"),
    CheckConstraint("kept_by IN ('CLOCK', 'FEED')", name="heartbeat_kept_by"),
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
        "records_expected",
        BigInteger,
        comment="People of the regency, as its own register counts them",
    ),
    comment="How complete the registry is, by regency",
)

outreach_batch = Table(
    "outreach_batch",
    metadata,
    Column("batch_id", Text, primary_key=True, comment="The source's name for it"),
    Column("regency_code", Text, nullable=False),
    Column("announced_at", DateTime(timezone=True), nullable=False),
    Column(
        "recorded_from",
        DateTime(timezone=True),
        comment="When its earliest recording was made in the field",
    ),
    Column(
        "recorded_until",
        DateTime(timezone=True),
        comment="When its latest recording was made in the field",
    ),
    Column("records_expected", BigInteger, comment="Recordings, as announced"),
    Column("applied_at", DateTime(timezone=True), comment="Null while it is still to come"),
    Index("outreach_batch_pending", "regency_code", postgresql_where=text("applied_at IS NULL")),
    comment="Batches of outreach teams (jemput bola): announced, then applied",
)

tally = Table(
    "tally",
    metadata,
    Column("regency_code", Text, primary_key=True, comment="Of residence"),
    Column("channel", Text, primary_key=True),
    Column("records", BigInteger, nullable=False),
    comment="Records held, by regency and channel of the last event; folded from the feed",
)

tally_position = Table(
    "tally_position",
    metadata,
    Column("one", Boolean, primary_key=True, server_default=text("true")),
    Column("xid", Xid8, nullable=False, comment="Changes of older transactions are in the tally"),
    Column(
        "above_id",
        BigInteger,
        nullable=False,
        comment="Feed rows up to this one were there when all records were counted",
    ),
    CheckConstraint("one", name="tally_position_one_row"),
    comment="One row: how far the feed is folded into the tally",
)

feed_position = Table(
    "feed_position",
    metadata,
    Column("source", Text, primary_key=True, comment="The feed's name"),
    Column("commit_position", BigInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column(
        "updated_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=text("clock_timestamp()"),
    ),
    comment="How far each feed is applied, written in the transaction that applied it",
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("source", Text, nullable=False, comment="The feed's or the file's name"),
    Column("place", Text, nullable=False, comment="Where in it: a position or a line"),
    Column("reason", Text, nullable=False),
    Column("detail", Text, nullable=False, comment="Names columns, holds no values"),
    Column("content", Text, nullable=False, comment="The row as it came: personal data"),
    Column(
        "received_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=text("clock_timestamp()"),
    ),
    Column("resolved_at", DateTime(timezone=True), comment="When a retry applied it"),
    UniqueConstraint("source", "place", name="quarantine_once"),
    comment="Rows that could not be applied, kept with the reason",
)
