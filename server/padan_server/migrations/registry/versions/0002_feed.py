"""The feed: numbered heartbeats, changes with where they came from, outreach batches, tallies."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.types import UserDefinedType

revision = "0002"
down_revision = "0001"

# A promoted standby may have missed beats, and may give the same numbers again: the upper bits
# count changes of the timeline, so that beats after a promotion are above all before it. They are
# counted, as a timeline's own number begins anew with pg_upgrade.
_NUMBER_BEATS = """
CREATE FUNCTION heartbeat_number() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.timeline := ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint;
    IF TG_OP = 'INSERT' THEN
        NEW.beat := 1::bigint << 40;
    ELSIF OLD.timeline <> NEW.timeline THEN
        NEW.beat := ((OLD.beat >> 40) + 1) << 40;
    ELSE
        NEW.beat := OLD.beat + 1;
    END IF;
    RETURN NEW;
END $$
"""

# By statement: a batch of thousands is announced by one INSERT. A NIK never changes; were it
# corrected all the same, both are told. The plan is kept from a call that may have had one row: a
# nested loop would then go through all rows for each row of a batch.
_ANNOUNCE = """
CREATE FUNCTION person_announce() RETURNS trigger LANGUAGE plpgsql SET enable_nestloop = off AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO change_feed (operation, nik, region, channel, happened_at)
        SELECT 'INSERT', nik, left(village_code, 4), channel, happened_at FROM new_rows;
    ELSIF TG_OP = 'UPDATE' THEN
        INSERT INTO change_feed (
            operation, nik, region, channel, happened_at, previous_region, previous_channel
        )
        SELECT CASE WHEN o.nik IS NULL THEN 'INSERT' ELSE 'UPDATE' END, n.nik,
            left(n.village_code, 4), n.channel, n.happened_at, left(o.village_code, 4), o.channel
        FROM new_rows AS n LEFT JOIN old_rows AS o ON o.nik = n.nik;
        INSERT INTO change_feed (
            operation, nik, region, channel, happened_at, previous_region, previous_channel
        )
        SELECT 'DELETE', o.nik, left(o.village_code, 4), o.channel, clock_timestamp(),
            left(o.village_code, 4), o.channel
        FROM old_rows AS o LEFT JOIN new_rows AS n ON n.nik = o.nik WHERE n.nik IS NULL;
    ELSE
        INSERT INTO change_feed (
            operation, nik, region, channel, happened_at, previous_region, previous_channel
        )
        SELECT 'DELETE', nik, left(village_code, 4), channel, clock_timestamp(),
            left(village_code, 4), channel
        FROM old_rows;
    END IF;
    RETURN NULL;
END $$
"""

_ANNOUNCE_0001 = """
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

_TRIGGERS = (
    "CREATE TRIGGER heartbeat_number BEFORE INSERT OR UPDATE ON heartbeat "
    "FOR EACH ROW EXECUTE FUNCTION heartbeat_number()",
    "CREATE TRIGGER person_announce_insert AFTER INSERT ON person "
    "REFERENCING NEW TABLE AS new_rows "
    "FOR EACH STATEMENT EXECUTE FUNCTION person_announce()",
    "CREATE TRIGGER person_announce_update AFTER UPDATE ON person "
    "REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows "
    "FOR EACH STATEMENT EXECUTE FUNCTION person_announce()",
    "CREATE TRIGGER person_announce_delete AFTER DELETE ON person "
    "REFERENCING OLD TABLE AS old_rows "
    "FOR EACH STATEMENT EXECUTE FUNCTION person_announce()",
)

_TRIGGER_0001 = (
    "CREATE TRIGGER person_announce AFTER INSERT OR UPDATE OR DELETE ON person "
    "FOR EACH ROW EXECUTE FUNCTION person_announce()"
)


class _Xid8(UserDefinedType[int]):
    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        return "xid8"


def upgrade() -> None:
    """Number the heartbeats, tell more in the feed, and make room for what sources send."""
    _number_heartbeats()
    _widen_feed()
    _create_outreach_batch()
    _create_tally()
    _create_feed_tables()


def downgrade() -> None:
    """Go back to 0001; tallies, quarantine, positions and batches' details are lost."""
    for table in ("quarantine", "feed_position", "tally_position", "tally"):
        op.drop_table(table)
    op.drop_column("person", "source_position")
    op.add_column(
        "watermark",
        sa.Column(
            "outreach_pending",
            sa.Boolean,
            nullable=False,
            server_default=sa.text("false"),
            comment="Outreach results of this regency are still to come",
        ),
    )
    op.execute(
        "UPDATE watermark SET outreach_pending = true WHERE regency_code IN "
        "(SELECT regency_code FROM outreach_batch WHERE applied_at IS NULL)"
    )
    op.drop_table("outreach_batch")
    op.drop_column("watermark", "records_expected")
    for event in ("insert", "update", "delete"):
        op.execute(f"DROP TRIGGER person_announce_{event} ON person")
    op.execute("DROP FUNCTION person_announce()")
    for column in ("previous_channel", "previous_region", "operation"):
        op.drop_column("change_feed", column)
    op.execute(_ANNOUNCE_0001)
    op.execute(_TRIGGER_0001)
    op.execute("DROP TRIGGER heartbeat_number ON heartbeat")
    op.execute("DROP FUNCTION heartbeat_number()")
    for column in ("kept_by", "timeline", "beat", "registry"):
        op.drop_column("heartbeat", column)


def _number_heartbeats() -> None:
    op.add_column(
        "heartbeat",
        sa.Column(
            "registry",
            sa.Uuid,
            nullable=False,
            server_default=sa.text("gen_random_uuid()"),
            comment="Which registry this is a copy of: beats of two registries do not compare",
        ),
    )
    op.add_column(
        "heartbeat",
        sa.Column(
            "beat",
            sa.BigInteger,
            nullable=False,
            server_default=sa.text("1"),
            comment="Raised by every update (trigger), whatever the clock does",
        ),
    )
    op.add_column(
        "heartbeat",
        sa.Column(
            "timeline",
            sa.BigInteger,
            nullable=False,
            server_default=sa.text("0"),
            comment="The primary's timeline at the last beat (trigger)",
        ),
    )
    op.add_column(
        "heartbeat",
        sa.Column(
            "kept_by",
            sa.Text,
            nullable=False,
            server_default=sa.text("'CLOCK'"),
            comment="CLOCK: this registry is its own source. FEED: beats come with a feed",
        ),
    )
    op.create_check_constraint("heartbeat_kept_by", "heartbeat", "kept_by IN ('CLOCK', 'FEED')")
    op.execute(_NUMBER_BEATS)
    op.execute(_TRIGGERS[0])
    op.execute("UPDATE heartbeat SET beat_at = beat_at")


def _widen_feed() -> None:
    op.add_column(
        "person",
        sa.Column(
            "source_position",
            sa.BigInteger,
            nullable=False,
            server_default=sa.text("0"),
            comment="Position in its source's feed of the last change; 0 without such a feed",
        ),
    )
    op.add_column(
        "change_feed",
        # The rows of 0001 do not tell; an update is what they mostly were.
        sa.Column("operation", sa.Text, nullable=False, server_default=sa.text("'UPDATE'")),
    )
    op.alter_column("change_feed", "operation", server_default=None)
    op.add_column(
        "change_feed",
        sa.Column("previous_region", sa.Text, comment="Regency code before the change, if any"),
    )
    op.add_column(
        "change_feed",
        sa.Column("previous_channel", sa.Text, comment="Channel before the change, if any"),
    )
    op.create_check_constraint(
        "change_feed_operation_known",
        "change_feed",
        "operation IN ('INSERT', 'UPDATE', 'DELETE')",
    )
    op.execute("DROP TRIGGER person_announce ON person")
    op.execute("DROP FUNCTION person_announce()")
    op.execute(_ANNOUNCE)
    for trigger in _TRIGGERS[1:]:
        op.execute(trigger)


def _create_outreach_batch() -> None:
    op.create_table(
        "outreach_batch",
        sa.Column("batch_id", sa.Text, primary_key=True, comment="The source's name for it"),
        sa.Column("regency_code", sa.Text, nullable=False),
        sa.Column("announced_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "recorded_from",
            sa.DateTime(timezone=True),
            comment="When its earliest recording was made in the field",
        ),
        sa.Column(
            "recorded_until",
            sa.DateTime(timezone=True),
            comment="When its latest recording was made in the field",
        ),
        sa.Column("records_expected", sa.BigInteger, comment="Recordings, as announced"),
        sa.Column(
            "applied_at", sa.DateTime(timezone=True), comment="Null while it is still to come"
        ),
        comment="Batches of outreach teams (jemput bola): announced, then applied",
    )
    op.create_index(
        "outreach_batch_pending",
        "outreach_batch",
        ["regency_code"],
        postgresql_where=sa.text("applied_at IS NULL"),
    )
    op.execute(
        "INSERT INTO outreach_batch (batch_id, regency_code, announced_at) "
        "SELECT 'before-0002-' || regency_code, regency_code, clock_timestamp() "
        "FROM watermark WHERE outreach_pending"
    )
    op.drop_column("watermark", "outreach_pending")
    op.add_column(
        "watermark",
        sa.Column(
            "records_expected",
            sa.BigInteger,
            comment="People of the regency, as its own register counts them",
        ),
    )


def _create_tally() -> None:
    op.create_table(
        "tally",
        sa.Column("regency_code", sa.Text, primary_key=True, comment="Of residence"),
        sa.Column("channel", sa.Text, primary_key=True),
        sa.Column("records", sa.BigInteger, nullable=False),
        comment="Records held, by regency and channel of the last event; folded from the feed",
    )
    op.create_table(
        "tally_position",
        sa.Column("one", sa.Boolean, primary_key=True, server_default=sa.text("true")),
        sa.Column(
            "xid", _Xid8, nullable=False, comment="Changes of older transactions are in the tally"
        ),
        sa.Column(
            "above_id",
            sa.BigInteger,
            nullable=False,
            comment="Feed rows up to this one were there when all records were counted",
        ),
        sa.CheckConstraint("one", name="tally_position_one_row"),
        comment="One row: how far the feed is folded into the tally",
    )
    # Counted once. Person is locked by the triggers made above, so every row of the feed is counted
    # here, and none that comes later.
    op.execute(
        "INSERT INTO tally (regency_code, channel, records) "
        "SELECT left(village_code, 4), channel, count(*) FROM person GROUP BY 1, 2"
    )
    op.execute(
        "INSERT INTO tally_position (xid, above_id) "
        "SELECT pg_snapshot_xmin(pg_current_snapshot()), coalesce(max(id), 0) FROM change_feed"
    )


def _create_feed_tables() -> None:
    op.create_table(
        "feed_position",
        sa.Column("source", sa.Text, primary_key=True, comment="The feed's name"),
        sa.Column("commit_position", sa.BigInteger, nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.text("clock_timestamp()"),
        ),
        comment="How far each feed is applied, written in the transaction that applied it",
    )
    op.create_table(
        "quarantine",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("source", sa.Text, nullable=False, comment="The feed's or the file's name"),
        sa.Column("place", sa.Text, nullable=False, comment="Where in it: a position or a line"),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False, comment="Names columns, holds no values"),
        sa.Column("content", sa.Text, nullable=False, comment="The row as it came: personal data"),
        sa.Column(
            "received_at",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.text("clock_timestamp()"),
        ),
        sa.Column("resolved_at", sa.DateTime(timezone=True), comment="When a retry applied it"),
        sa.UniqueConstraint("source", "place", name="quarantine_once"),
        comment="Rows that could not be applied, kept with the reason",
    )
