"""The statements of the ledger's database, compiled once; placeholders in the order of the names.

`log`, `batch` and the like are written by `ledger_append` alone (migrations/ledger): one call, one
transaction.
"""

from __future__ import annotations

from sqlalchemy import (
    LargeBinary,
    ScalarSelect,
    Table,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    func,
    literal_column,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, insert

from padan_server.adapters import ledger_tables as tables
from padan_server.adapters.asyncpg_sql import sql

PARAMETERS = 31
APPEND = f"SELECT ledger_append({', '.join(f'${n}' for n in range(1, PARAMETERS + 1))})"
TAKE_OVER = sql(update(tables.log).values(epoch=text("epoch + 1")).returning(*tables.log.c))
LOG = sql(select(tables.log))
NEW_LOG = sql(
    insert(tables.log)
    .values(
        name=bindparam("name"),
        public_key=bindparam("public_key"),
        epoch=text("0"),
        policy_version=text("0"),
    )
    .on_conflict_do_nothing()
)
HEAD = sql(
    select(*tables.batch.c["size", "root", "frontier", "time"])
    .order_by(tables.batch.c.size.desc())
    .limit(literal_column("1"))
)
CLOCK = sql(select(func.clock_timestamp()))
PARTNERS = sql(select(tables.partner.c.document))
HEADS = sql(select(*tables.partner_head.c["partner", "next_seq", "leaf_hash"]))
USED = sql(
    select(*tables.budget.c["partner", "window_name", "used"]).where(
        tables.budget.c.window_name == any_(bindparam("windows", type_=ARRAY(Text)))
    )
)
FRONTIER = sql(select(tables.batch.c.frontier).where(tables.batch.c.size == bindparam("size")))
# A batch that holds index n is the first whose size is above n.
BATCHES = sql(
    select(tables.batch)
    .where(tables.batch.c.size > bindparam("index"))
    .order_by(tables.batch.c.size)
    .limit(literal_column("16"))
)
INDEXES = sql(
    select(*tables.entry.c["index", "draft_id"]).where(
        tables.entry.c.draft_id == any_(bindparam("draft_ids", type_=ARRAY(LargeBinary)))
    )
)
_keys = (
    func.unnest(bindparam("ids", type_=ARRAY(Uuid)), bindparam("partners", type_=ARRAY(Text)))
    .table_valued("request_id", "partner")
    .render_derived(name="wanted")
)
BOUND = sql(
    select(tables.bound_request).join(
        _keys,
        and_(
            tables.bound_request.c.request_id == _keys.c.request_id,
            tables.bound_request.c.partner == _keys.c.partner,
        ),
    )
)
_put_partner = insert(tables.partner).values(
    partner=bindparam("partner"), changed=bindparam("changed"), document=bindparam("document")
)
PUT_PARTNER = sql(
    _put_partner.on_conflict_do_update(
        index_elements=[tables.partner.c.partner],
        set_={
            "changed": _put_partner.excluded.changed,
            "document": _put_partner.excluded.document,
        },
    )
)
PUT_AGREEMENT = sql(
    insert(tables.agreement)
    .values(
        partner=bindparam("partner"), version=bindparam("version"), document=bindparam("document")
    )
    .on_conflict_do_nothing()
)
RAISE_POLICY = sql(update(tables.log).values(policy_version=bindparam("version")))
ENTRIES = sql(
    select(tables.entry)
    .where(tables.entry.c.index >= bindparam("first"), tables.entry.c.index < bindparam("end"))
    .order_by(tables.entry.c.index)
)
PERSONAL = sql(
    select(tables.personal)
    .where(
        tables.personal.c.index >= bindparam("first"), tables.personal.c.index < bindparam("end")
    )
    .order_by(tables.personal.c.index)
)


def _rows_beyond(table: Table) -> ScalarSelect[int]:
    beyond = or_(table.c.index >= bindparam("size"), table.c.index < literal_column("0"))
    return select(func.count()).select_from(table).where(beyond).scalar_subquery()


ROWS_BEYOND = sql(select(_rows_beyond(tables.entry) + _rows_beyond(tables.personal)))
AGREEMENTS = sql(select(*tables.agreement.c["partner", "version", "document"]))
BUDGETS = sql(select(*tables.budget.c["partner", "window_name", "used"]))
BOUND_COUNT = sql(
    select(func.count())
    .select_from(tables.bound_request)
    .where(
        tables.bound_request.c.request_id >= bindparam("oldest"),
        tables.bound_request.c.index < bindparam("size"),
    )
)
SETTINGS = (
    "SELECT name, setting FROM pg_settings "
    "WHERE name IN ('fsync', 'synchronous_commit', 'full_page_writes')"
)
