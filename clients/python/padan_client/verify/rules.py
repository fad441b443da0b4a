"""The rules of the log, replayed over its entries: time, chains, agreements, charges, request ids.

What the notary would have refused to write must not stand in the log. Knows nothing of files and
trees. It remembers each partner (a few hundred bytes) and the request ids of 72 hours.
"""

from __future__ import annotations

from binascii import b2a_base64
from collections import Counter
from datetime import date

from padan_client.verify.agreements import ActionRefused, Agreement, Standing
from padan_client.verify.answered import Answered
from padan_client.verify.clock import Clock
from padan_client.verify.findings import Findings, What
from padan_client.verify.typed_entry import Charge, Entry

NOT_YET_REPLICATED = "NOT_YET_REPLICATED"
_ABOUT_PEOPLE = ("VERIFY", "LOOKUP")


class Partner:
    """What the log has said of a partner so far."""

    __slots__ = (
        *("in_force", "name", "next_seq", "number", "previous"),
        *("standing", "today", "told", "unread", "used"),
    )

    def __init__(self, name: str, number: int, *, unread: int) -> None:
        self.name = name
        self.number = str(number)
        self.standing = Standing()
        self.next_seq = 0
        self.previous = b""
        self.unread = unread
        self.used: dict[str, int] = {}
        self.today = date.min
        self.told: set[str] = set()
        self.in_force: dict[str | None, Agreement | str] = {}


class Rules:
    """Takes the entries from the first one on, in order, each once."""

    def __init__(self, origin: str, findings: Findings) -> None:
        self.partners: dict[str, Partner] = {}
        self.kinds: Counter[str] = Counter()
        self.first_time = ""
        self.clock = Clock()
        self.charges = 0
        self.rupiah = 0
        self._origin = origin
        self._findings = findings
        self._answered = Answered()
        self._unread = 0

    def skip(self) -> None:
        """Go on where entries could not be read: whose they were is unknown, and so forgiven."""
        self._unread += 1

    def take(self, index: int, entry: Entry, leaf: bytes) -> None:
        """Take the entry at an index, and its leaf hash."""
        kind = entry.kind
        self.kinds[kind] += 1
        if entry.index != index or entry.log != self._origin:
            self._find(What.ENTRY, index, "says that it stands elsewhere")
        if entry.time != self.clock.text:
            self._time(index, entry.time)
        partner = self.partners.get(entry.partner)
        if partner is None:
            # One that is new after a gap may have entries in it.
            partner = Partner(entry.partner, len(self.partners), unread=0)
            self.partners[entry.partner] = partner
        self._chain(index, entry, partner)
        partner.previous = leaf
        if kind == "ANSWER":
            self._answer(index, entry, partner)
        elif kind == "REPLAY":
            self._replay(index, entry, partner)
        elif kind == "CONTROL":
            self._control(index, entry, partner)

    def _time(self, index: int, text: str) -> None:
        if text < self.clock.text:
            self._find(What.ENTRY, index, "goes back in time")
            return
        try:
            self.clock.set(text)
        except ValueError:
            self._find(What.ENTRY, index, "has a time of another form")
        self.first_time = self.first_time or text

    def _chain(self, index: int, entry: Entry, partner: Partner) -> None:
        seq, previous = entry.partner_seq, partner.previous
        said = entry.partner_previous
        linked = (
            said is None
            if not previous
            else (said == b2a_base64(previous, newline=False).decode("ascii"))
        )
        if seq == partner.next_seq and linked:
            partner.next_seq = seq + 1
            return
        if partner.unread == self._unread:
            if seq != partner.next_seq:
                text = f"is number {seq} of {partner.name}, not {partner.next_seq}"
                self._find(What.CHAIN, index, text)
            else:
                self._find(What.CHAIN, index, f"does not follow the last entry of {partner.name}")
        partner.unread = self._unread
        partner.next_seq = seq + 1

    def _answer(self, index: int, entry: Entry, partner: Partner) -> None:
        ask, answer = entry.ask, entry.answer
        assert ask is not None, "the form of an ANSWER has it"
        assert answer is not None, "the form of an ANSWER has it"
        agreement = self._in_force(partner, ask.key_id)
        if isinstance(agreement, str):
            self._once(index, partner, f"answers {partner.name} although {agreement}")
        elif ask.agreement_version != agreement.version:
            text = f"answers {partner.name} under version {ask.agreement_version} of the agreement"
            self._once(index, partner, f"{text}, where {agreement.version} was in force")
        else:
            if ask.method in _ABOUT_PEOPLE and not agreement.grants(
                ask.method, ask.purpose, ask.elements
            ):
                self._find(What.AGREEMENT, index, "answers what the agreement does not grant")
            if entry.charge is not None:
                if answer.outcome == NOT_YET_REPLICATED or ask.method not in _ABOUT_PEOPLE:
                    self._find(What.CHARGE, index, "is charged, but is an answer without a charge")
                self._charge(index, entry.charge, partner, agreement)
        if ask.request_id is not None and answer.outcome != NOT_YET_REPLICATED:
            wrong = self._answered.bind(
                partner.number, ask.request_id, index, self.clock.milliseconds
            )
            if isinstance(wrong, int):
                wrong = f"answers a request_id that entry {wrong} had answered"
            if wrong is not None:
                self._find(What.REQUEST_ID, index, wrong)

    def _once(self, index: int, partner: Partner, text: str) -> None:
        """Tell what holds for all of a partner's answers until an action: for the first of them."""
        if text not in partner.told:
            partner.told.add(text)
            why = "; entries that were not read may tell why" if self._unread else ""
            self._find(What.AGREEMENT, index, text + why)

    def _in_force(self, partner: Partner, key_id: str | None) -> Agreement | str:
        """Give the agreement in force, or what stands against it; worked out once a day and key."""
        if partner.today != self.clock.today:
            partner.today = self.clock.today
            partner.in_force = {}
            partner.used = {
                window: used
                for window, used in partner.used.items()
                if window in self.clock.windows
            }
        found = partner.in_force.get(key_id)
        if found is None:
            found = partner.standing.in_force(key_id, self.clock.today)
            if key_id in partner.standing.keys:
                partner.in_force[key_id] = found  # So it holds no more than the partner's keys.
        return found

    def _charge(self, index: int, charge: Charge, partner: Partner, agreement: Agreement) -> None:
        if charge.price != agreement.price_rupiah:
            text = f"is charged at {charge.price} rupiah, not {agreement.price_rupiah}"
            self._find(What.CHARGE, index, text)
        day, month = windows = self.clock.windows
        if charge.windows != windows:
            self._find(What.CHARGE, index, "is charged to other windows than its time's")
        self.charges += 1
        self.rupiah += charge.price
        used = partner.used
        used[day] = today = used.get(day, 0) + 1
        used[month] = this_month = used.get(month, 0) + 1
        if agreement.budget_day is not None and today > agreement.budget_day:
            self._beyond(index, partner, day, agreement.budget_day)
        if agreement.budget_month is not None and this_month > agreement.budget_month:
            self._beyond(index, partner, month, agreement.budget_month)

    def _beyond(self, index: int, partner: Partner, window: str, budget: int) -> None:
        text = f"is charged to {window} of {partner.name} beyond the budget of {budget}"
        self._find(What.CHARGE, index, text)

    def _replay(self, index: int, entry: Entry, partner: Partner) -> None:
        ask = entry.ask
        assert ask is not None, "the form of a REPLAY has it"
        first = self._answered.first(partner.number, ask.request_id or "")
        if first != entry.replay_of and (first is not None or not self._unread):
            text = f"replays entry {entry.replay_of}, which did not answer its request_id"
            self._find(What.REQUEST_ID, index, text)

    def _control(self, index: int, entry: Entry, partner: Partner) -> None:
        assert entry.control is not None, "the form of a CONTROL has it"
        try:
            partner.standing.apply(partner.name, entry.control)
        except ActionRefused as refused:
            self._find(What.AGREEMENT, index, str(refused))
        partner.in_force = {}
        partner.told.clear()

    def _find(self, what: What, index: int, text: str) -> None:
        self._findings.add(what, f"entry {index}", text)
