"""The registry: people, regions, change feed, heartbeat and watermarks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import UserDefinedType

revision = "0001"
down_revision = None

# Moves a record's version and time of change. A loader that fills an empty registry switches both
# triggers off with `SET session_replication_role = replica` and sets these columns itself.
_STAMP = """
CREATE FUNCTION person_stamp() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.changed_at := clock_timestamp();
    NEW.record_version := CASE TG_OP WHEN 'UPDATE' THEN OLD.record_version + 1 ELSE 1 END;
    RETURN NEW;
END $$
"""

# A NIK never changes; were it corrected all the same, both must be told.
_ANNOUNCE = """
CREATE FUNCTION person_announce() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' AND (TG_OP = 'DELETE' OR OLD.nik <> NEW.nik) THEN
        INSERT INTO change_feed (nik, region, channel, happened_at)
        VALUES (OLD.nik, left(OLD.village_code, 4), OLD.channel, clock_timestamp());
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO change_feed (nik, region, channel, happened_at)
        VALUES (NEW.nik, left(NEW.village_code, 4), NEW.channel, NEW.happened_at);
    END IF;
    RETURN NULL;
END $$
"""

_REFUSE_TRUNCATE = """
CREATE FUNCTION person_refuse_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'person cannot be truncated: no cache would hear of it';
END $$
"""

_TRIGGERS = (
    "CREATE TRIGGER person_stamp BEFORE INSERT OR UPDATE ON person "
    "FOR EACH ROW EXECUTE FUNCTION person_stamp()",
    "CREATE TRIGGER person_announce AFTER INSERT OR UPDATE OR DELETE ON person "
    "FOR EACH ROW EXECUTE FUNCTION person_announce()",
    "CREATE TRIGGER person_refuse_truncate BEFORE TRUNCATE ON person "
    "FOR EACH STATEMENT EXECUTE FUNCTION person_refuse_truncate()",
)


class _Xid8(UserDefinedType[int]):
    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        return "xid8"


def upgrade() -> None:
    """Create the tables, the triggers on person, and the heartbeat's one row."""
    _create_person()
    _create_region()
    _create_change_feed()
    _create_heartbeat_and_watermark()
    for statement in (_STAMP, _ANNOUNCE, _REFUSE_TRUNCATE, *_TRIGGERS):
        op.execute(statement)
    # Beats are frequent updates of one row, watermarks of a few hundred: room on the page lets
    # them stay where they are (HOT).
    op.execute("ALTER TABLE heartbeat SET (fillfactor = 10)")
    op.execute("ALTER TABLE watermark SET (fillfactor = 50)")
    op.execute("INSERT INTO heartbeat (beat_at) VALUES (clock_timestamp())")


def downgrade() -> None:
    """Drop everything, people included."""
    for table in ("watermark", "heartbeat", "change_feed", "region", "person"):
        op.drop_table(table)
    for function in ("person_refuse_truncate", "person_announce", "person_stamp"):
        op.execute(f"DROP FUNCTION {function}()")


def _create_person() -> None:
    op.create_table(
        "person",
        sa.Column("nik", sa.Text, primary_key=True, comment="NIK"),
        sa.Column("family_card_number", sa.Text, nullable=False, comment="NO_KK"),
        sa.Column("full_name", sa.Text, nullable=False, comment="NAMA_LGKP"),
        sa.Column("title_religious", sa.Text, comment="GLR_AGAMA"),
        sa.Column("title_academic", sa.Text, comment="GLR_AKADEMIS"),
        sa.Column("title_noble", sa.Text, comment="GLR_BANGSAWAN"),
        sa.Column("birth_place", sa.Text, nullable=False, comment="TMPT_LHR"),
        sa.Column("birth_date", sa.Date, nullable=False, comment="TGL_LHR"),
        sa.Column("sex", sa.SmallInteger, nullable=False, comment="JENIS_KLMIN"),
        sa.Column("blood_type", sa.SmallInteger, nullable=False, comment="GOL_DRH"),
        sa.Column("religion", sa.SmallInteger, nullable=False, comment="AGAMA"),
        sa.Column("marital_status", sa.SmallInteger, nullable=False, comment="STAT_KWN"),
        sa.Column("family_relation", sa.SmallInteger, nullable=False, comment="STAT_HBKEL"),
        sa.Column("education", sa.SmallInteger, nullable=False, comment="PDDK_AKH"),
        sa.Column("occupation", sa.SmallInteger, nullable=False, comment="JENIS_PKRJN"),
        sa.Column("nationality", sa.Text, nullable=False, comment="KEBANGSAAN"),
        sa.Column("birth_certificate_number", sa.Text, comment="NO_AKTA_LHR"),
        sa.Column("marriage_certificate_number", sa.Text, comment="NO_AKTA_KWN"),
        sa.Column("marriage_date", sa.Date, comment="TGL_KWN"),
        sa.Column("divorce_certificate_number", sa.Text, comment="NO_AKTA_CRAI"),
        sa.Column("divorce_date", sa.Date, comment="TGL_CRAI"),
        sa.Column("mother_nik", sa.Text, comment="NIK_IBU"),
        sa.Column("mother_name", sa.Text, comment="NAMA_LGKP_IBU"),
        sa.Column("father_nik", sa.Text, comment="NIK_AYAH"),
        sa.Column("father_name", sa.Text, comment="NAMA_LGKP_AYAH"),
        sa.Column(
            "village_code",
            sa.CHAR(10),
            nullable=False,
            comment="NO_PROP to NO_KEL: where the person lives now (Kepmendagri code)",
        ),
        sa.Column("address", sa.Text, nullable=False, comment="ALAMAT"),
        sa.Column("rt", sa.Text, nullable=False, comment="NO_RT"),
        sa.Column("rw", sa.Text, nullable=False, comment="NO_RW"),
        sa.Column("hamlet", sa.Text, comment="DUSUN"),
        sa.Column("postal_code", sa.Text, comment="KODE_POS"),
        sa.Column(
            "life_status",
            sa.SmallInteger,
            nullable=False,
            comment="STAT_HIDUP: 1 alive, 2 deceased",
        ),
        sa.Column(
            "record_status",
            sa.SmallInteger,
            nullable=False,
            comment="FLAG_STATUS: 1 active, 2 inactive, 3 duplicate",
        ),
        sa.Column("card_status", sa.Text, nullable=False, comment="EKTP_CURRENT_STATUS_CODE"),
        sa.Column(
            "channel",
            sa.Text,
            nullable=False,
            comment="How the last event came in: OFFICE, OUTREACH (jemput bola) or CENTRAL",
        ),
        sa.Column(
            "happened_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When the last event happened; with OUTREACH often days before its entry",
        ),
        sa.Column("entered_at", sa.DateTime(timezone=True), nullable=False, comment="TGL_ENTRI"),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False, comment="TGL_UBAH"),
        sa.Column(
            "record_version",
            sa.BigInteger,
            nullable=False,
            server_default=sa.text("1"),
            comment="Raised by one with every change (trigger)",
        ),
        sa.CheckConstraint("nik ~ '^[0-9]{16}$'", name="person_nik_form"),
        sa.CheckConstraint("family_card_number ~ '^[0-9]{16}$'", name="person_family_card_form"),
        sa.CheckConstraint("sex IN (1, 2)", name="person_sex_known"),
        sa.CheckConstraint("life_status IN (1, 2)", name="person_life_status_known"),
        sa.CheckConstraint("record_status IN (1, 2, 3)", name="person_record_status_known"),
        sa.CheckConstraint(
            "channel IN ('OFFICE', 'OUTREACH', 'CENTRAL')", name="person_channel_known"
        ),
        comment="SIAK biodata, as far as verification needs it",
    )


def _create_region() -> None:
    op.create_table(
        "region",
        sa.Column("code", sa.Text, primary_key=True, comment="Kepmendagri code: 2, 4 or 6 digits"),
        sa.Column(
            "level", sa.Text, nullable=False, comment="province, regency (or city) or district"
        ),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("parent", sa.Text, comment="The code one level up"),
        sa.Column(
            "first_edition", sa.Text, nullable=False, comment="Oldest edition of the list with it"
        ),
        sa.Column(
            "last_edition", sa.Text, nullable=False, comment="Newest edition of the list with it"
        ),
        sa.Column(
            "successors",
            ARRAY(sa.Text),
            comment="Codes that took a retired one over; null if current",
        ),
        sa.CheckConstraint(
            "level IN ('province', 'regency', 'district')", name="region_level_known"
        ),
        comment="Region codes of all editions, retired ones included",
    )


def _create_change_feed() -> None:
    op.create_table(
        "change_feed",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column(
            "xid",
            _Xid8,
            nullable=False,
            server_default=sa.text("pg_current_xact_id()"),
            comment="Read by xid >= the last snapshot's xmin: commit order is not id order",
        ),
        sa.Column("nik", sa.Text, nullable=False),
        sa.Column(
            "region", sa.Text, nullable=False, comment="Regency code of the person's residence"
        ),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("happened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "committed_at",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.text("clock_timestamp()"),
        ),
        comment="One row for every change of a person, written by a trigger",
    )
    op.create_index("change_feed_xid", "change_feed", ["xid"])


def _create_heartbeat_and_watermark() -> None:
    op.create_table(
        "heartbeat",
        sa.Column("one", sa.Boolean, primary_key=True, server_default=sa.text("true")),
        sa.Column("beat_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("one", name="heartbeat_one_row"),
        comment="One row. A copy that shows a beat holds everything committed before it",
    )
    op.create_table(
        "watermark",
        sa.Column("regency_code", sa.Text, primary_key=True),
        sa.Column(
            "centralised_since",
            sa.Date,
            comment="Null while the regency keeps a register of its own",
        ),
        sa.Column(
            "complete_to",
            sa.DateTime(timezone=True),
            comment="The registry holds every event that this regency entered up to then",
        ),
        sa.Column(
            "outreach_pending",
            sa.Boolean,
            nullable=False,
            server_default=sa.text("false"),
            comment="Outreach results of this regency are still to come",
        ),
        comment="How complete the registry is, by regency",
    )
