"""The order in which every call is served. Nothing else decides it.

authenticate -> decode -> authorize -> admit -> act -> commit -> answer. Nothing about a person
leaves before `commit` returned: no entry, no answer. On a busy worker a call first waits for the
start of its burst, which decides nothing but when.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

import structlog

from padan_server.domain.agreement import Grant, authorize, in_standing
from padan_server.domain.call import Answered, Call
from padan_server.domain.caller import Caller
from padan_server.domain.claims import AnyQuery, Query
from padan_server.domain.draft import Standing, Verdict
from padan_server.domain.refusal import BudgetSpent, Reason, Refusal
from padan_server.domain.request_id import check_time
from padan_server.domain.window import JakartaDays
from padan_server.operations.admission import Admission
from padan_server.operations.bursts import Bursts
from padan_server.operations.drafts import Drafted
from padan_server.operations.operation import Operation
from padan_server.operations.refusals import Refusals
from padan_server.ports import Clock, Ledger, Policy, Tokens

Q = TypeVar("Q", bound=AnyQuery)
J = TypeVar("J")

log = structlog.get_logger()


class Pipeline:
    """Serves calls, each by an operation."""

    def __init__(
        self,
        *,
        tokens: Tokens,
        policy: Policy,
        bursts: Bursts,
        admission: Admission,
        ledger: Ledger,
        refusals: Refusals,
        clock: Clock,
    ) -> None:
        self._tokens = tokens
        self._policy = policy
        self._bursts = bursts
        self._admission = admission
        self._ledger = ledger
        self._refusals = refusals
        self._clock = clock
        self._days = JakartaDays()

    async def run(
        self, call: Call, decode: Callable[[], Q], operation: Operation[Q, J]
    ) -> Answered[J]:
        """Serve one call. Raises Refusal; every way out leaves an entry, or is counted for one."""
        caller: Caller | None = None
        query: Q | None = None
        grant: Grant | None = None
        handed_over = False
        try:
            await self._bursts.join(alone=self._admission.empty)
            caller = self._tokens.authenticate(call.authorization, call.peer)
            query = decode()
            grant = self._authorize(caller, query, operation)
            with self._admission:
                judgement = await operation.act(query, grant)
                drafted = operation.draft(call, caller, grant, query, judgement)
                handed_over = True
                verdict = await self._ledger.append(drafted.draft)
        except Refusal as refusal:
            self._record(call, refusal.reason, operation, caller, query, grant)
            raise
        except asyncio.CancelledError:
            if not handed_over:  # else the draft is recorded although nobody waits for it
                self._record(call, Reason.CALLER_GONE, operation, caller, query, grant)
            raise
        except Exception as error:
            log.exception("a call failed", method=operation.method)
            self._record(call, Reason.INTERNAL, operation, caller, query, grant)
            raise Refusal(Reason.INTERNAL, "a fault of the service") from error
        return self._answer(operation, caller, query, judgement, drafted, verdict)

    def _authorize(self, caller: Caller, query: Q, operation: Operation[Q, J]) -> Grant:
        now = self._clock()
        if not isinstance(query, Query):  # about no person: it has no request_id, and no purpose
            return in_standing(
                self._policy.partner(caller.partner), caller, today=self._days.today(now)
            )
        check_time(query.request_id, now)
        return authorize(
            self._policy.partner(caller.partner),
            caller,
            method=operation.method,
            purpose=query.purpose,
            elements=operation.elements(query),
            today=self._days.today(now),
        )

    def _answer(
        self,
        operation: Operation[Q, J],
        caller: Caller,
        query: Q,
        judgement: J,
        drafted: Drafted,
        verdict: Verdict,
    ) -> Answered[J]:
        subject_token, salt = drafted.subject_token, drafted.statement_salt
        replayed = verdict.standing == Standing.REPLAYED
        if replayed:
            judgement, subject_token, salt = operation.replay(
                caller.partner, query, judgement, verdict.sealed_answer
            )
        elif verdict.standing == Standing.REFUSED:
            raise _refusal_of(verdict)
        return Answered(
            judgement,
            subject_token,
            self._policy.log,
            verdict.index,
            verdict.time,
            salt,
            verdict.charged,
            verdict.day_left,
            verdict.month_left,
            replayed,
        )

    def _record(
        self,
        call: Call,
        reason: Reason,
        operation: Operation[Q, J],
        caller: Caller | None,
        query: Q | None,
        grant: Grant | None,
    ) -> None:
        self._refusals.record(
            call,
            reason,
            method=operation.method,
            caller=caller,
            agreement_version=grant.agreement.version if grant else 0,
            query=query if isinstance(query, Query) else None,
        )


_TEXTS = {
    Reason.KEY_UNKNOWN: "no such partner or key",
    Reason.PARTNER_SUSPENDED: "the partner is suspended",
    Reason.AGREEMENT_MISSING: "no agreement is in force today",
    Reason.REQUEST_ID_REUSED: "this request_id was used for a request with other content",
    Reason.REQUEST_ID_EXPIRED: "the time in the request_id is over 72 hours old or ahead",
    Reason.POLICY_UNAVAILABLE: "the agreement has just changed",
}


def _refusal_of(verdict: Verdict) -> Refusal:
    """Give the refusal that the notary decided, and has recorded."""
    reason = Reason(verdict.reason)
    if reason is Reason.BUDGET_SPENT:
        return BudgetSpent(verdict.window, retry_after_seconds=verdict.retry_after_seconds)
    return Refusal(
        reason,
        _TEXTS.get(reason, "refused"),
        retry_after_seconds=verdict.retry_after_seconds or None,
    )
