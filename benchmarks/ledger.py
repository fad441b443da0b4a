"""What the ledger's database says: that it is durable, and what it recorded for a partner."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import BigInteger, NullPool, cast, create_engine, func, make_url, select

from padan_server.adapters.ledger_tables import budget, entry

DURABLE = ("fsync", "synchronous_commit", "full_page_writes")

PARTNER = "bench"

_COUNTS = select(
    func.count().filter(entry.c.kind == "ANSWER").label("answers"),
    func.count().filter(entry.c.kind.not_in(("ANSWER", "CONTROL"))).label("others"),
    select(cast(func.coalesce(func.sum(budget.c.used), 0), BigInteger))
    .where(budget.c.partner == PARTNER, budget.c.window_name.startswith("day:"))
    .scalar_subquery()
    .label("charged"),
).where(entry.c.partner == PARTNER)


class LedgerError(Exception):
    """The ledger is not durable, or does not hold what was answered."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Entries of the partner, by kind, and answers charged to its days."""

    answers: int
    others: int
    charged: int


class Ledger:
    """Reads the ledger's database."""

    def __init__(self, url: str) -> None:
        driver = make_url(url).set(drivername="postgresql+psycopg")
        self._engine = create_engine(driver, poolclass=NullPool, hide_parameters=True)

    def required_settings(self) -> dict[str, str]:
        """Give the settings that make a commit durable. Raises LedgerError unless all are on."""
        shown = select(*(func.current_setting(name).label(name) for name in DURABLE))
        with self._engine.connect() as connection:
            settings = dict(connection.execute(shown).one()._mapping)
        if off := [name for name, value in settings.items() if value != "on"]:
            raise LedgerError(f"not on at the ledger's server: {', '.join(off)}")
        return settings

    def counts(self) -> Counts:
        """Count what the ledger holds of the partner."""
        with self._engine.connect() as connection:
            return Counts(*connection.execute(_COUNTS).one())


def require_recorded(before: Counts, after: Counts, *, answered: int, billable: int) -> None:
    """Raise LedgerError unless each answer has its entry, and each billable one its charge."""
    answers = after.answers - before.answers
    charged = after.charged - before.charged
    others = after.others - before.others
    if (answers, charged, others) != (answered, billable, 0):
        raise LedgerError(
            f"{answered} answers came, {billable} of them billable; the ledger has {answers} "
            f"answer entries, {charged} charges and {others} entries of other kinds more"
        )
