"""The ledger's tables as SQLAlchemy Core sees them; docs/ledger.md tells what each is for.

The schema's owner is migrations/ledger; a test holds the two equal. `batch` holds the log itself.
All else is derived from it (`entry`), stands beside the tree (`personal`, `bound_request`), or is
the present state (`log`, `budget`, `partner_head`, `partner`, `agreement`).
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData()

log = Table(
    "log",
    metadata,
    Column("one", Boolean, primary_key=True, server_default=text("true")),
    Column("name", Text, nullable=False, comment="The log's origin, as in its checkpoints"),
    Column("public_key", LargeBinary, nullable=False, comment="Ed25519, 32 bytes"),
    Column("epoch", BigInteger, nullable=False, comment="Raised by each notary that takes over"),
    Column("policy_version", BigInteger, nullable=False, comment="Raised by each CONTROL entry"),
    CheckConstraint("one", name="log_one_row"),
    comment="One row: the log's name and key, and the fence between its notaries",
)

batch = Table(
    "batch",
    metadata,
    Column("size", BigInteger, primary_key=True, comment="The tree's size with this batch"),
    Column("first_index", BigInteger, nullable=False),
    Column("batch_id", Uuid, nullable=False, server_default=text("gen_random_uuid()")),
    Column("root", LargeBinary, nullable=False, comment="The tree's root with this batch"),
    Column("frontier", LargeBinary, nullable=False, comment="Roots of perfect subtrees"),
    Column("entries", LargeBinary, nullable=False, comment="zstd of length-prefixed entries"),
    Column("time", DateTime(timezone=True), nullable=False),
    Column("epoch", BigInteger, nullable=False, comment="Which notary wrote it"),
    comment="The log: one row for each transaction",
)

entry = Table(
    "entry",
    metadata,
    Column("index", BigInteger, primary_key=True),
    Column("draft_id", LargeBinary, nullable=False),
    Column("partner", Text, nullable=False),
    Column("partner_seq", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("method", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("regency", Text, nullable=False),
    Column("time", DateTime(timezone=True), nullable=False),
    Column("subject_key", LargeBinary, comment="First 8 bytes of HMAC(epoch key, NIK)"),
    Index("entry_draft_id", "draft_id", unique=True),
    Index("entry_subject_key", "subject_key", postgresql_where=text("subject_key IS NOT NULL")),
    comment="The search side of each entry, derived from its bytes",
)

personal = Table(
    "personal",
    metadata,
    Column("index", BigInteger, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    comment="What is sealed beside the tree; erasing a row leaves every proof valid",
)

bound_request = Table(
    "bound_request",
    metadata,
    Column("request_id", Uuid, primary_key=True, comment="UUIDv7: its time is the partition"),
    Column("partner", Text, primary_key=True),
    Column("content_mac", LargeBinary, nullable=False),
    Column("index", BigInteger, nullable=False, comment="The ANSWER that bound the id"),
    Column("time", DateTime(timezone=True), nullable=False),
    Column("sealed_answer", LargeBinary, nullable=False),
    comment="Request ids that an answer bound, for 72 hours; one partition for each day",
    postgresql_partition_by="RANGE (request_id)",
)

_HOT = {
    "fillfactor": 25,
    "autovacuum_vacuum_scale_factor": 0,
    "autovacuum_vacuum_threshold": 1000,
}
"""Rows that each batch updates: room for new versions on the page, and early vacuums."""

budget = Table(
    "budget",
    metadata,
    Column("partner", Text, primary_key=True),
    Column("window_name", Text, primary_key=True, comment="As in entries: day:..., month:..."),
    Column("used", BigInteger, nullable=False, comment="Charged answers"),
    comment="How much of each budget window is used",
    postgresql_with=_HOT,
)

partner_head = Table(
    "partner_head",
    metadata,
    Column("partner", Text, primary_key=True),
    Column("next_seq", BigInteger, nullable=False),
    Column("leaf_hash", LargeBinary, nullable=False, comment="Of the partner's last entry"),
    comment="The end of each partner's chain",
    postgresql_with=_HOT,
)

partner = Table(
    "partner",
    metadata,
    Column("partner", Text, primary_key=True),
    Column("changed", BigInteger, nullable=False, comment="Policy version of the last change"),
    Column("document", JSONB, nullable=False, comment="domain.agreement.Partner"),
    comment="The present state of each partner",
)

agreement = Table(
    "agreement",
    metadata,
    Column("partner", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("document", JSONB, nullable=False, comment="domain.agreement.Agreement"),
    comment="All versions of all agreements; only appended to",
)
