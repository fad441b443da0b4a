"""Verify: does this data agree with the record?"""

from __future__ import annotations

from padan_server.domain import nik as niks
from padan_server.domain import outcome
from padan_server.domain.agreement import Grant
from padan_server.domain.call import Call
from padan_server.domain.caller import Caller
from padan_server.domain.claims import Method, VerifyQuery
from padan_server.domain.outcome import Judgement
from padan_server.operations import documents
from padan_server.operations.drafts import Drafted, Drafts
from padan_server.operations.finding import Finder


class Verify:
    """The operation behind VerificationService.Verify."""

    method = Method.VERIFY

    def __init__(self, *, finder: Finder, drafts: Drafts) -> None:
        self._finder = finder
        self._drafts = drafts

    def elements(self, query: VerifyQuery) -> tuple[str, ...]:
        """Name the elements claimed."""
        return query.elements

    async def act(self, query: VerifyQuery, grant: Grant) -> Judgement:
        """Compare the claims with the record."""
        finding = await self._finder.find(query)
        return outcome.verified(
            query.nik,
            query.claims,
            finding,
            origin=self._finder.region(niks.prefix(query.nik)),
            residence=self._finder.residence(finding),
            kind=grant.kind,
        )

    def draft(
        self, call: Call, caller: Caller, grant: Grant, query: VerifyQuery, judgement: Judgement
    ) -> Drafted:
        """Draft the entry."""
        return self._drafts.answer(
            call, caller, grant, method=self.method, query=query, judgement=judgement
        )

    def replay(
        self, partner: str, query: VerifyQuery, judgement: Judgement, sealed: bytes
    ) -> tuple[Judgement, str, bytes]:
        """Give the first answer, whatever the registry says now."""
        salt, told = self._drafts.told_first(partner, query.request_id, sealed)
        first, subject_token = documents.told_again(told)
        return first, subject_token, salt
