"""The ledger: the log in batches, what derives from it, what stands beside it, and its append."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None

# `entries` and seals do not compress: PostgreSQL shall not try.
_TABLES = """
CREATE TABLE log (
    one boolean PRIMARY KEY DEFAULT true CONSTRAINT log_one_row CHECK (one),
    name text NOT NULL,
    public_key bytea NOT NULL,
    epoch bigint NOT NULL,
    policy_version bigint NOT NULL
);
COMMENT ON TABLE log IS 'One row: the log''s name and key, and the fence between its notaries';
COMMENT ON COLUMN log.name IS 'The log''s origin, as in its checkpoints';
COMMENT ON COLUMN log.public_key IS 'Ed25519, 32 bytes';
COMMENT ON COLUMN log.epoch IS 'Raised by each notary that takes over';
COMMENT ON COLUMN log.policy_version IS 'Raised by each CONTROL entry';

CREATE TABLE batch (
    size bigint PRIMARY KEY,
    first_index bigint NOT NULL,
    batch_id uuid NOT NULL DEFAULT gen_random_uuid(),
    root bytea NOT NULL,
    frontier bytea NOT NULL,
    entries bytea STORAGE EXTERNAL NOT NULL,
    time timestamptz NOT NULL,
    epoch bigint NOT NULL
);
COMMENT ON TABLE batch IS 'The log: one row for each transaction';
COMMENT ON COLUMN batch.size IS 'The tree''s size with this batch';
COMMENT ON COLUMN batch.root IS 'The tree''s root with this batch';
COMMENT ON COLUMN batch.frontier IS 'Roots of perfect subtrees';
COMMENT ON COLUMN batch.entries IS 'zstd of length-prefixed entries';
COMMENT ON COLUMN batch.epoch IS 'Which notary wrote it';

CREATE TABLE entry (
    index bigint PRIMARY KEY,
    draft_id bytea NOT NULL,
    partner text NOT NULL,
    partner_seq bigint NOT NULL,
    kind text NOT NULL,
    method text NOT NULL,
    purpose text NOT NULL,
    outcome text NOT NULL,
    reason text NOT NULL,
    regency text NOT NULL,
    time timestamptz NOT NULL,
    subject_key bytea
);
CREATE UNIQUE INDEX entry_draft_id ON entry (draft_id);
CREATE INDEX entry_subject_key ON entry (subject_key) WHERE subject_key IS NOT NULL;
COMMENT ON TABLE entry IS 'The search side of each entry, derived from its bytes';
COMMENT ON COLUMN entry.subject_key IS 'First 8 bytes of HMAC(epoch key, NIK)';

CREATE TABLE personal (
    index bigint PRIMARY KEY,
    sealed bytea STORAGE EXTERNAL NOT NULL
);
COMMENT ON TABLE personal IS
    'What is sealed beside the tree; erasing a row leaves every proof valid';

CREATE TABLE bound_request (
    request_id uuid NOT NULL,
    partner text NOT NULL,
    content_mac bytea NOT NULL,
    index bigint NOT NULL,
    time timestamptz NOT NULL,
    sealed_answer bytea STORAGE EXTERNAL NOT NULL,
    PRIMARY KEY (request_id, partner)
) PARTITION BY RANGE (request_id);
COMMENT ON TABLE bound_request IS
    'Request ids that an answer bound, for 72 hours; one partition for each day';
COMMENT ON COLUMN bound_request.request_id IS 'UUIDv7: its time is the partition';
COMMENT ON COLUMN bound_request.index IS 'The ANSWER that bound the id';

CREATE TABLE budget (
    partner text NOT NULL,
    window_name text NOT NULL,
    used bigint NOT NULL,
    PRIMARY KEY (partner, window_name)
) WITH (
    fillfactor = 25, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000
);
COMMENT ON TABLE budget IS 'How much of each budget window is used';
COMMENT ON COLUMN budget.window_name IS 'As in entries: day:..., month:...';
COMMENT ON COLUMN budget.used IS 'Charged answers';

CREATE TABLE partner_head (
    partner text PRIMARY KEY,
    next_seq bigint NOT NULL,
    leaf_hash bytea NOT NULL
) WITH (
    fillfactor = 25, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000
);
COMMENT ON TABLE partner_head IS 'The end of each partner''s chain';
COMMENT ON COLUMN partner_head.leaf_hash IS 'Of the partner''s last entry';

CREATE TABLE partner (
    partner text PRIMARY KEY,
    changed bigint NOT NULL,
    document jsonb NOT NULL
);
COMMENT ON TABLE partner IS 'The present state of each partner';
COMMENT ON COLUMN partner.changed IS 'Policy version of the last change';
COMMENT ON COLUMN partner.document IS 'domain.agreement.Partner';

CREATE TABLE agreement (
    partner text NOT NULL,
    version integer NOT NULL,
    document jsonb NOT NULL,
    PRIMARY KEY (partner, version)
);
COMMENT ON TABLE agreement IS 'All versions of all agreements; only appended to';
COMMENT ON COLUMN agreement.document IS 'domain.agreement.Agreement';
"""

# Arrays from p_draft_id to p_term go with the entries; p_term points into those after it.
# Errors: PD001 another notary took over; PD002 the head is not where this notary left it; PD003 a
# budget is not what this notary knows. A draft or request_id that is in the ledger already breaks
# a unique index. Each undoes the whole transaction.
_APPEND = """
CREATE FUNCTION ledger_append(
    p_epoch bigint,
    p_first bigint,
    p_size bigint,
    p_root bytea,
    p_frontier bytea,
    p_entries bytea,
    p_time timestamptz,
    p_draft_id bytea[],
    p_partner_seq bigint[],
    p_regency text[],
    p_subject_key bytea[],
    p_personal bytea[],
    p_term integer[],
    p_partner text[],
    p_kind text[],
    p_method text[],
    p_purpose text[],
    p_outcome text[],
    p_reason text[],
    p_bound_id uuid[],
    p_bound_partner text[],
    p_bound_mac bytea[],
    p_bound_index bigint[],
    p_bound_answer bytea[],
    p_budget_partner text[],
    p_budget_window text[],
    p_budget_added bigint[],
    p_budget_used bigint[],
    p_head_partner text[],
    p_head_seq bigint[],
    p_head_hash bytea[]
) RETURNS timestamptz LANGUAGE plpgsql AS $$
DECLARE
    confirmed bigint;
BEGIN
    PERFORM FROM log WHERE epoch = p_epoch FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'another notary took the log over' USING ERRCODE = 'PD001';
    END IF;
    IF coalesce((SELECT max(size) FROM batch), 0) <> p_first THEN
        RAISE EXCEPTION 'the head moved' USING ERRCODE = 'PD002';
    END IF;

    INSERT INTO batch (size, first_index, root, frontier, entries, time, epoch)
    VALUES (p_size, p_first, p_root, p_frontier, p_entries, p_time, p_epoch);

    INSERT INTO bound_request (request_id, partner, content_mac, index, time, sealed_answer)
    SELECT i, p, m, n, p_time, a
    FROM unnest(p_bound_id, p_bound_partner, p_bound_mac, p_bound_index, p_bound_answer)
        AS b (i, p, m, n, a);

    INSERT INTO entry (index, draft_id, partner, partner_seq, kind, method, purpose, outcome,
        reason, regency, time, subject_key)
    SELECT p_first + i - 1, d, p, s, k, m, u, o, r, g, p_time, nullif(j, '')
    FROM unnest(p_draft_id, p_partner_seq, p_regency, p_subject_key, p_term)
        WITH ORDINALITY AS e (d, s, g, j, t, i)
    JOIN unnest(p_partner, p_kind, p_method, p_purpose, p_outcome, p_reason)
        WITH ORDINALITY AS n (p, k, m, u, o, r, t) USING (t);

    INSERT INTO personal (index, sealed)
    SELECT p_first + i - 1, s FROM unnest(p_personal) WITH ORDINALITY AS e (s, i) WHERE s <> '';

    IF cardinality(p_budget_partner) > 0 THEN
        WITH raised AS (
            INSERT INTO budget AS b (partner, window_name, used)
            SELECT * FROM unnest(p_budget_partner, p_budget_window, p_budget_added)
            ON CONFLICT (partner, window_name) DO UPDATE SET used = b.used + excluded.used
            RETURNING partner, window_name, used
        )
        SELECT count(*) INTO confirmed
        FROM raised JOIN unnest(p_budget_partner, p_budget_window, p_budget_used)
            AS known (partner, window_name, used) USING (partner, window_name, used);
        IF confirmed <> cardinality(p_budget_partner) THEN
            RAISE EXCEPTION 'a budget differs' USING ERRCODE = 'PD003';
        END IF;
    END IF;

    INSERT INTO partner_head AS h (partner, next_seq, leaf_hash)
    SELECT * FROM unnest(p_head_partner, p_head_seq, p_head_hash)
    ON CONFLICT (partner) DO UPDATE
        SET next_seq = excluded.next_seq, leaf_hash = excluded.leaf_hash;

    RETURN clock_timestamp();
END $$
"""


def upgrade() -> None:
    """Make the tables and the function that appends."""
    op.execute(_TABLES)
    op.execute(_APPEND)
