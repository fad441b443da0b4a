"""Drafts: the commitments, seals and documents that one call leaves for the notary."""

from __future__ import annotations

from typing import Any

import msgspec

from padan_server.domain import entry
from padan_server.domain.agreement import SERVICE_PARTNER, Grant
from padan_server.domain.call import Call
from padan_server.domain.caller import Caller
from padan_server.domain.claims import Query, RegionQuery, RegionsQuery
from padan_server.domain.draft import Draft, Kind
from padan_server.domain.listing import Listing
from padan_server.domain.outcome import NOT_YET_REPLICATED, Judgement
from padan_server.domain.refusal import FAULTS, Reason
from padan_server.operations import documents, region_documents
from padan_server.ports import Clock, Entropy, Keys

_PERSONAL_CONTEXT = b"padan.v1 personal\0"
_ANSWER_CONTEXT = b"padan.v1 answer\0"


class Drafted(msgspec.Struct, frozen=True):
    """A draft of an answer, with what the caller gets and the draft does not hold in the clear."""

    draft: Draft
    statement_salt: bytes
    subject_token: str


class Drafts:
    """Makes drafts."""

    def __init__(self, *, keys: Keys, entropy: Entropy, clock: Clock) -> None:
        self._keys = keys
        self._entropy = entropy
        self._clock = clock

    def answer(
        self,
        call: Call,
        caller: Caller,
        grant: Grant,
        *,
        method: str,
        query: Query,
        judgement: Judgement,
        person: dict[str, Any] | None = None,
    ) -> Drafted:
        """Draft an answer. `person` is what a Lookup gives; it is committed to, and not kept."""
        keys = self._keys
        partner = caller.partner
        draft_id = self._draft_id()
        randomness = self._entropy(2 * entry.SALT_BYTES)
        salt = randomness[: entry.SALT_BYTES]
        salted = randomness[entry.SALT_BYTES :] + documents.personal(call, query)
        subject_token = keys.subject_token(partner, query.nik)
        request = documents.request(partner, method, query)
        answer = documents.answer(judgement)
        told = documents.told(answer, subject_token, person)
        if judgement.outcome == NOT_YET_REPLICATED:
            sealed_answer = b""
        else:
            kept = told if person is None else documents.told(answer, subject_token, None)
            sealed_answer = keys.seal(salt + kept, answer_context(partner, query.request_id))
        draft = Draft(
            draft_id,
            Kind.ANSWER,
            partner,
            caller.key_id,
            grant.agreement.version,
            query.request_id,
            query.nik,
            documents.ask(
                call,
                method=method,
                key_id=caller.key_id,
                agreement_version=grant.agreement.version,
                query=query,
                personal_commitment=entry.personal(salted),
            ),
            documents.recorded(answer, entry.statement(salt, request, told)),
            judgement.billable,
            keys.content_mac(request),
            sealed_answer,
            keys.seal(salted, _PERSONAL_CONTEXT + draft_id),
            "",
            0,
        )
        return Drafted(draft, salt, subject_token)

    def listing(
        self,
        call: Call,
        caller: Caller,
        grant: Grant,
        *,
        method: str,
        query: RegionsQuery | RegionQuery,
        listing: Listing,
    ) -> Drafted:
        """Draft an answer about regions: uncharged, about no person, and binding no request_id."""
        draft_id = self._draft_id()
        salt = self._entropy(entry.SALT_BYTES)
        salted = self._entropy(entry.SALT_BYTES) + documents.personal(call, None)
        request = region_documents.request(caller.partner, method, query)
        told = region_documents.told(listing)
        draft = Draft(
            draft_id,
            Kind.ANSWER,
            caller.partner,
            caller.key_id,
            grant.agreement.version,
            "",
            "",
            documents.ask(
                call,
                method=method,
                key_id=caller.key_id,
                agreement_version=grant.agreement.version,
                query=None,
                personal_commitment=entry.personal(salted),
            ),
            documents.recorded(
                region_documents.answer(listing), entry.statement(salt, request, told)
            ),
            False,
            b"",
            b"",
            self._keys.seal(salted, _PERSONAL_CONTEXT + draft_id),
            "",
            0,
        )
        return Drafted(draft, salt, "")

    def refusal(
        self,
        call: Call,
        reason: Reason,
        *,
        method: str,
        caller: Caller | None,
        agreement_version: int,
        query: Query | None,
        count: int = 0,
    ) -> Draft:
        """Draft a refusal or fault; with `count`, the summary of so many of them."""
        draft_id = self._draft_id()
        salted = self._entropy(entry.SALT_BYTES) + documents.personal(call, query)
        single = Kind.FAULT if reason in FAULTS else Kind.REFUSAL
        key_id = caller.key_id if caller else ""
        return Draft(
            draft_id,
            Kind.SUMMARY if count else single,
            caller.partner if caller else SERVICE_PARTNER,
            key_id,
            agreement_version,
            query.request_id if query else "",
            query.nik if query else "",
            documents.ask(
                call,
                method=method,
                key_id=key_id,
                agreement_version=agreement_version,
                query=query,
                personal_commitment=entry.personal(salted),
            ),
            b"",
            False,
            b"",
            b"",
            self._keys.seal(salted, _PERSONAL_CONTEXT + draft_id),
            reason,
            count,
        )

    def told_first(self, partner: str, request_id: str, sealed: bytes) -> tuple[bytes, bytes]:
        """Open what a bound request_id keeps: the statement's salt, and what was told."""
        opened = self._keys.unseal(sealed, answer_context(partner, request_id))
        return opened[: entry.SALT_BYTES], opened[entry.SALT_BYTES :]

    def _draft_id(self) -> bytes:
        return int(self._clock() * 1000).to_bytes(6, "big") + self._entropy(10)


def answer_context(partner: str, request_id: str) -> bytes:
    """Bind a sealed answer to its partner and request."""
    return _ANSWER_CONTEXT + f"{partner}/{request_id}".encode()


def personal_context(draft_id: bytes) -> bytes:
    """Bind a sealed personal part to its draft."""
    return _PERSONAL_CONTEXT + draft_id
