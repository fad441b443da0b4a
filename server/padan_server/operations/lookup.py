"""Lookup: what does the record say in the elements asked for?"""

from __future__ import annotations

from padan_server.domain import nik as niks
from padan_server.domain import outcome
from padan_server.domain.agreement import Grant
from padan_server.domain.call import Call
from padan_server.domain.caller import Caller
from padan_server.domain.claims import LookupQuery, Method
from padan_server.domain.outcome import Judgement
from padan_server.domain.refusal import Reason, Refusal
from padan_server.operations import documents
from padan_server.operations.drafts import Drafted, Drafts
from padan_server.operations.finding import Finder

GIVES_VALUES = frozenset({outcome.FOUND, outcome.DECEASED})
"""Outcomes with which values are given; a duplicate's or an inactive record's are in dispute."""


class Lookup:
    """The operation behind VerificationService.Lookup."""

    method = Method.LOOKUP

    def __init__(self, *, finder: Finder, drafts: Drafts) -> None:
        self._finder = finder
        self._drafts = drafts

    def elements(self, query: LookupQuery) -> tuple[str, ...]:
        """Name the elements asked for."""
        return query.elements

    async def act(self, query: LookupQuery, grant: Grant) -> Judgement:
        """Find the record."""
        finding = await self._finder.find(query)
        return outcome.looked_up(
            query.nik,
            finding,
            origin=self._finder.region(niks.prefix(query.nik)),
            residence=self._finder.residence(finding),
        )

    def draft(
        self, call: Call, caller: Caller, grant: Grant, query: LookupQuery, judgement: Judgement
    ) -> Drafted:
        """Draft the entry; the values are committed to, and not kept."""
        given = judgement.record is not None and judgement.outcome in GIVES_VALUES
        return self._drafts.answer(
            call,
            caller,
            grant,
            method=self.method,
            query=query,
            judgement=judgement,
            person=documents.person(judgement.record, query.elements)
            if given and judgement.record is not None
            else {},
        )

    def replay(
        self, partner: str, query: LookupQuery, judgement: Judgement, sealed: bytes
    ) -> tuple[Judgement, str, bytes]:
        """Give the values as just read, if the record is the one that answered first.

        A lookup's values are never kept; a record that has changed since is a new question. Raises
        Refusal REQUEST_ID_REUSED for it.
        """
        salt, told = self._drafts.told_first(partner, query.request_id, sealed)
        if not documents.tells_of(told, judgement):
            raise Refusal(
                Reason.REQUEST_ID_REUSED,
                "the record has changed since this request_id was answered: use a new one",
            )
        _, subject_token = documents.told_again(told)
        return judgement, subject_token, salt
