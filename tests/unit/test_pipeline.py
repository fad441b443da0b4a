"""The order in which a call is served, and the entry that every way out leaves."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from padan_server.adapters.regions_polled import PolledRegions
from padan_server.adapters.tokens_jwt import JwtTokens
from padan_server.domain.agreement import Partner
from padan_server.domain.call import Answered
from padan_server.domain.claims import AnyQuery, Query, RegionQuery, VerifyQuery
from padan_server.domain.coverage import Coverage
from padan_server.domain.draft import Draft, Kind, Standing, Verdict
from padan_server.domain.nik import Nik
from padan_server.domain.person import Finding
from padan_server.domain.refusal import (
    BudgetSpent,
    ElementsNotGranted,
    Reason,
    Refusal,
    RequestInvalid,
)
from padan_server.domain.region import RegionTable
from padan_server.operations.admission import Admission
from padan_server.operations.bursts import Bursts
from padan_server.operations.drafts import Drafts
from padan_server.operations.finding import Finder
from padan_server.operations.lookup import Lookup
from padan_server.operations.refusals import Refusals
from padan_server.operations.regions import GetRegion
from padan_server.operations.verify import Verify
from padan_server.pipeline import Pipeline
from tests.support.builders import (
    LOG,
    NIK,
    NOW,
    Clock,
    CountedEntropy,
    KeptLedger,
    ListedRegistry,
    agreement,
    call,
    lookup_query,
    partner,
    policy,
    record,
    request_id,
    token,
    verdict,
    verify_query,
    worker_keys,
)

TABLE = RegionTable.published()


class Worker:
    """Everything that serves a call, with stand-ins for the notary and the registry copy alone."""

    def __init__(self, directory: Path) -> None:
        self.clock = Clock()
        self.policy_clock = Clock(0.0)
        self.registry = ListedRegistry(record())
        self.ledger = KeptLedger()
        self.partner = partner()
        self.calls_max = 10
        self._keys = worker_keys(directory, clock=self.clock)
        self._drafts = Drafts(keys=self._keys, entropy=CountedEntropy(), clock=self.clock)

    def build(self) -> None:
        """Make the pipeline of what the test has set so far."""
        told = policy(self.partner, monotonic=self.policy_clock)
        regions = PolledRegions(
            table=TABLE, read=self._coverage, behind_seconds=60.0, clock=self.clock
        )
        finder = Finder(
            registry=self.registry,
            regions=regions,
            clock=self.clock,
            staleness_seconds_max=86_400.0,
            clock_error_seconds=0.05,
        )
        self.verify = Verify(finder=finder, drafts=self._drafts)
        self.lookup = Lookup(finder=finder, drafts=self._drafts)
        self.regions = regions
        self.get_region = GetRegion(table=TABLE, coverage=regions, drafts=self._drafts)
        self.pipeline = Pipeline(
            tokens=JwtTokens(policy=told, audience="padan", clock=self.clock),
            policy=told,
            bursts=Bursts(),
            admission=Admission(calls_max=self.calls_max),
            ledger=self.ledger,
            refusals=Refusals(drafts=self._drafts, ledger=self.ledger, period_seconds=60.0),
            clock=self.clock,
        )

    async def _coverage(self) -> dict[str, Coverage]:
        return {"3171": Coverage(NOW, as_of=NOW)}

    async def run(self, query: AnyQuery | Exception | None = None, **changes: Any) -> Answered[Any]:
        """Serve one call, a Verify unless the query is a Lookup's or about a region."""
        if not hasattr(self, "pipeline"):
            self.build()
        asked = verify_query() if query is None else query
        came = call(**({"authorization": f"Bearer {token()}"} | changes))

        def decode() -> Any:
            if isinstance(asked, Exception):
                raise asked
            return asked

        operation: Any = self.verify
        if isinstance(asked, Query) and not isinstance(asked, VerifyQuery):
            operation = self.lookup
        elif isinstance(asked, RegionQuery):
            operation = self.get_region
        return await self.pipeline.run(came, decode, operation)

    async def refused(
        self, query: AnyQuery | Exception | None = None, **changes: Any
    ) -> tuple[Refusal, list[Draft]]:
        """Serve a call that is refused; give the refusal and the entries that it left."""
        with pytest.raises(Refusal) as refused:
            await self.run(query, **changes)
        return refused.value, self.ledger.noted


@pytest.fixture
def worker(tmp_path: Path) -> Worker:
    return Worker(tmp_path)


async def test_an_answer_comes_with_what_the_ledger_says_of_it(worker: Worker) -> None:
    answered = await worker.run()
    (drafted,) = worker.ledger.appended
    assert drafted.kind == Kind.ANSWER
    assert json.loads(drafted.answer)["outcome"] == answered.judgement.outcome == "MATCHED"
    assert (answered.log, answered.index, answered.time) == (LOG, 7, 0)
    assert (answered.charged, answered.day_left, answered.month_left) == (True, 999, -1)
    assert (answered.replayed, len(answered.statement_salt)) == (False, 16)
    assert worker.ledger.noted == []


async def test_calls_beside_one_that_is_under_way_reach_the_ledger_together(worker: Worker) -> None:
    committed = asyncio.get_running_loop().create_future()
    worker.ledger.answer = lambda _: committed
    first = asyncio.create_task(worker.run())
    for _ in range(5):
        await asyncio.sleep(0)
    assert len(worker.ledger.appended) == 1
    others = [asyncio.create_task(worker.run()) for _ in range(3)]
    for _ in range(5):
        await asyncio.sleep(0)
    assert len(worker.ledger.appended) == 1, "a call did not wait for its burst"
    while len(worker.ledger.appended) == 1:
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert len(worker.ledger.appended) == 4
    committed.set_result(verdict(worker.ledger.appended[0]))
    await asyncio.gather(first, *others)


async def test_nothing_is_answered_before_it_is_committed(worker: Worker) -> None:
    committed = asyncio.get_running_loop().create_future()
    worker.ledger.answer = lambda _: committed
    running = asyncio.create_task(worker.run())
    for _ in range(5):
        await asyncio.sleep(0)
    assert len(worker.ledger.appended) == 1
    assert not running.done()
    committed.set_result(verdict(worker.ledger.appended[0]))
    assert (await running).charged


@pytest.mark.parametrize(
    "authorization", ["", "Bearer x", f"Bearer {token(exp=int(NOW) - 1)}", "Basic YTpi"]
)
async def test_a_caller_who_is_not_known_is_refused_before_anything_is_read(
    worker: Worker, authorization: str
) -> None:
    unread = RuntimeError("the request was read")
    refusal, noted = await worker.refused(unread, authorization=authorization)
    assert refusal.reason.startswith("TOKEN_")
    assert noted == []
    assert worker.registry.asked == []


async def test_a_malformed_request_is_recorded_with_its_caller(worker: Worker) -> None:
    refusal, (noted,) = await worker.refused(RequestInvalid([("nik", "must be a NIK")]))
    assert refusal.reason is Reason.REQUEST_INVALID
    assert (noted.kind, noted.reason, noted.partner) == (
        Kind.REFUSAL,
        Reason.REQUEST_INVALID,
        "agency-a",
    )
    assert (noted.nik, noted.request_id, noted.agreement_version) == ("", "", 0)


@pytest.mark.parametrize(
    ("changes", "query", "reason"),
    [
        ({"suspended": True}, {}, Reason.PARTNER_SUSPENDED),
        ({"agreement": None}, {}, Reason.AGREEMENT_MISSING),
        ({"agreement": agreement(methods=frozenset())}, {}, Reason.METHOD_NOT_GRANTED),
        ({"agreement": agreement(purposes=frozenset())}, {}, Reason.PURPOSE_NOT_GRANTED),
        ({"agreement": agreement(verify_elements=frozenset())}, {}, Reason.ELEMENT_NOT_GRANTED),
        ({}, {"request_id": request_id(NOW - 73 * 3600)}, Reason.REQUEST_ID_EXPIRED),
        ({}, {"request_id": request_id(NOW + 3600)}, Reason.REQUEST_ID_EXPIRED),
    ],
)
async def test_what_is_not_authorized_is_recorded_and_nobody_is_looked_for(
    worker: Worker, changes: dict[str, Any], query: dict[str, Any], reason: Reason
) -> None:
    worker.partner = partner(**changes)
    refusal, (noted,) = await worker.refused(verify_query(**query))
    assert refusal.reason is reason
    assert (noted.kind, noted.reason, noted.nik) == (Kind.REFUSAL, reason, NIK)
    assert worker.registry.asked == []
    assert worker.ledger.appended == []


async def test_elements_that_are_not_granted_are_named(worker: Worker) -> None:
    worker.partner = partner(agreement=agreement(lookup_elements=frozenset({"address"})))
    refusal, _ = await worker.refused(lookup_query(elements=("full_name", "address")))
    assert isinstance(refusal, ElementsNotGranted)
    assert refusal.elements == ["full_name"]


async def test_a_token_verified_earlier_does_not_outlive_its_partners_suspension(
    worker: Worker,
) -> None:
    await worker.run()
    suspended: Partner = msgspec.structs.replace(worker.partner, suspended=True)
    worker.partner = suspended
    worker.build()
    refusal, _ = await worker.refused()
    assert refusal.reason is Reason.PARTNER_SUSPENDED


async def test_a_policy_that_is_too_old_is_a_fault_of_ours(worker: Worker) -> None:
    await worker.run()
    worker.policy_clock.now += 1.5
    refusal, (noted,) = await worker.refused()
    assert refusal.reason is Reason.POLICY_UNAVAILABLE
    assert (noted.kind, noted.reason) == (Kind.FAULT, Reason.POLICY_UNAVAILABLE)


async def test_a_full_server_is_a_fault_and_nobody_is_looked_for(worker: Worker) -> None:
    worker.calls_max = 0
    refusal, (noted,) = await worker.refused()
    assert refusal.reason is Reason.OVERLOADED
    assert (noted.kind, noted.agreement_version) == (Kind.FAULT, 3)
    assert worker.registry.asked == []


async def test_a_place_is_held_until_the_call_is_committed(worker: Worker) -> None:
    worker.calls_max = 1
    committed = asyncio.get_running_loop().create_future()
    worker.ledger.answer = lambda _: committed
    first = asyncio.create_task(worker.run())
    await asyncio.sleep(0)
    refusal, _ = await worker.refused()
    assert refusal.reason is Reason.OVERLOADED
    committed.set_result(verdict(worker.ledger.appended[0]))
    assert (await first).charged


@pytest.mark.parametrize(
    ("reason", "kind"),
    [(Reason.REGISTRY_UNAVAILABLE, Kind.FAULT), (Reason.TOO_STALE, Kind.REFUSAL)],
)
async def test_a_refusal_of_the_registry_is_recorded_and_nothing_is_charged(
    worker: Worker, reason: Reason, kind: Kind
) -> None:
    worker.registry.failure = Refusal(reason, "not now", retry_after_seconds=1.0)
    refusal, (noted,) = await worker.refused()
    assert refusal is worker.registry.failure
    assert (noted.kind, noted.reason, noted.request_id) == (kind, reason, request_id())
    assert worker.ledger.appended == []


async def test_data_older_than_the_query_accepts_is_refused(worker: Worker) -> None:
    worker.registry.as_of = NOW - 10
    refusal, (noted,) = await worker.refused(verify_query(max_staleness_seconds=5.0))
    assert refusal.reason is Reason.TOO_STALE
    assert noted.kind == Kind.REFUSAL


async def test_an_error_of_ours_is_a_fault_that_tells_the_caller_nothing(worker: Worker) -> None:
    worker.registry.failure = RuntimeError(f"a driver quotes {NIK}")
    refusal, (noted,) = await worker.refused()
    assert (refusal.reason, refusal.text) == (Reason.INTERNAL, "a fault of the service")
    assert (noted.kind, noted.reason) == (Kind.FAULT, Reason.INTERNAL)


async def test_a_ledger_that_cannot_record_gets_no_answer_out(worker: Worker) -> None:
    worker.ledger.answer = lambda _: Refusal(Reason.LEDGER_UNAVAILABLE, "cannot record")
    refusal, (noted,) = await worker.refused()
    assert refusal.reason is Reason.LEDGER_UNAVAILABLE
    assert noted.kind == Kind.FAULT


async def cancelled(running: asyncio.Task[Answered[Any]]) -> None:
    for _ in range(5):
        await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


class Slow(ListedRegistry):
    """A registry copy that never answers while it hangs."""

    hangs = True

    async def find(self, niks: Sequence[Nik], *, not_before: float) -> list[Finding]:
        if self.hangs:
            await asyncio.get_running_loop().create_future()
        return await super().find(niks, not_before=not_before)


async def test_a_caller_who_goes_before_the_hand_over_leaves_a_fault(worker: Worker) -> None:
    worker.registry = Slow()
    await cancelled(asyncio.create_task(worker.run()))
    (noted,) = worker.ledger.noted
    assert (noted.kind, noted.reason) == (Kind.FAULT, Reason.CALLER_GONE)
    assert worker.ledger.appended == []


async def test_a_caller_who_goes_after_the_hand_over_leaves_the_answer_alone(
    worker: Worker,
) -> None:
    waiting: Awaitable[Verdict] = asyncio.get_running_loop().create_future()
    worker.ledger.answer = lambda _: waiting
    await cancelled(asyncio.create_task(worker.run()))
    assert [draft.kind for draft in worker.ledger.appended] == [Kind.ANSWER]
    assert worker.ledger.noted == []


async def test_a_place_is_free_again_after_its_caller_went(worker: Worker) -> None:
    worker.calls_max = 1
    worker.registry = slow = Slow(record())
    await cancelled(asyncio.create_task(worker.run()))
    slow.hangs = False
    assert (await worker.run()).charged


async def test_a_replayed_verification_tells_the_first_answer_whatever_is_true_now(
    worker: Worker,
) -> None:
    first = await worker.run()
    kept = worker.ledger.appended[0].sealed_answer
    worker.registry.records = {NIK: record(full_name="CHANGED SINCE")}
    worker.ledger.answer = lambda draft: verdict(
        draft, standing=Standing.REPLAYED, sealed_answer=kept, charged=False, index=3, time=5
    )
    again = await worker.run()
    assert again.judgement.outcome == first.judgement.outcome == "MATCHED"
    assert again.judgement.fields == first.judgement.fields
    assert again.subject_token == first.subject_token
    assert again.statement_salt == first.statement_salt
    assert (again.replayed, again.charged, again.index, again.time) == (True, False, 3, 5)


async def test_a_replayed_lookup_reads_its_values_anew(worker: Worker) -> None:
    first = await worker.run(lookup_query())
    kept = worker.ledger.appended[0].sealed_answer
    worker.registry.records = {NIK: record(full_name="CHANGED SINCE")}
    worker.ledger.answer = lambda draft: verdict(
        draft, standing=Standing.REPLAYED, sealed_answer=kept, charged=False
    )
    again = await worker.run(lookup_query())
    assert again.judgement.record is not None
    assert again.judgement.record.full_name == "CHANGED SINCE"
    assert again.statement_salt == first.statement_salt
    assert again.replayed


@pytest.mark.parametrize(
    "reason",
    [
        Reason.REQUEST_ID_REUSED,
        Reason.REQUEST_ID_EXPIRED,
        Reason.PARTNER_SUSPENDED,
        Reason.KEY_UNKNOWN,
        Reason.AGREEMENT_MISSING,
        Reason.POLICY_UNAVAILABLE,
    ],
)
async def test_what_the_notary_refuses_is_told_and_not_recorded_twice(
    worker: Worker, reason: Reason
) -> None:
    worker.ledger.answer = lambda draft: verdict(draft, standing=Standing.REFUSED, reason=reason)
    refusal, noted = await worker.refused()
    assert refusal.reason is reason
    assert refusal.text != "refused"
    assert refusal.retry_after_seconds is None
    assert noted == []


@pytest.mark.parametrize("window", ["day", "month"])
async def test_a_spent_budget_names_its_window_and_when_it_ends(
    worker: Worker, window: str
) -> None:
    worker.ledger.answer = lambda draft: verdict(
        draft,
        standing=Standing.REFUSED,
        reason=Reason.BUDGET_SPENT,
        window=window,
        retry_after_seconds=99.0,
    )
    refusal, noted = await worker.refused()
    assert isinstance(refusal, BudgetSpent)
    assert (refusal.window, refusal.retry_after_seconds) == (window, 99.0)
    assert noted == []


async def test_many_refusals_of_one_kind_become_twenty_entries(worker: Worker) -> None:
    worker.partner = partner(suspended=True)
    for _ in range(30):
        await worker.refused()
    assert len(worker.ledger.noted) == 20


async def test_dates_of_an_agreement_are_jakartas(worker: Worker) -> None:
    """At 17:00 UTC on the last day it is the next day in Jakarta."""
    seventeen = NOW - NOW % 86_400 + 17 * 3600
    assert seventeen > NOW
    last_day = agreement(valid_until=agreement().valid_from.replace(month=9, day=21))
    worker.partner = partner(agreement=last_day)
    bearer = f"Bearer {token(iat=int(seventeen) - 200, exp=int(seventeen) + 200)}"
    worker.clock.now = seventeen - 1
    await worker.run(authorization=bearer)
    worker.clock.now = seventeen
    refusal, _ = await worker.refused(authorization=bearer)
    assert refusal.reason is Reason.AGREEMENT_MISSING


@pytest.mark.parametrize(
    "changes", [{}, {"methods": frozenset({"VERIFY"}), "purposes": frozenset({"DEMOCRACY"})}]
)
async def test_any_partner_in_standing_may_ask_about_a_region_uncharged(
    worker: Worker, changes: dict[str, Any]
) -> None:
    worker.partner = partner(agreement=agreement(**changes))
    worker.build()
    await worker.regions.poll()
    answered = await worker.run(RegionQuery(code="3171"))
    assert answered.judgement.regions[0].region.code == "3171"
    (drafted,) = worker.ledger.appended
    assert (drafted.kind, drafted.billable) == (Kind.ANSWER, False)
    assert json.loads(drafted.ask)["method"] == "GET_REGION"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"suspended": True}, Reason.PARTNER_SUSPENDED),
        ({"agreement": None}, Reason.AGREEMENT_MISSING),
        ({"keys": {}}, Reason.KEY_UNKNOWN),
    ],
)
async def test_a_partner_not_in_standing_is_told_nothing_of_a_region(
    worker: Worker, changes: dict[str, Any], reason: Reason
) -> None:
    worker.partner = partner(**changes)
    worker.build()
    await worker.regions.poll()
    refusal, noted = await worker.refused(RegionQuery(code="3171"))
    assert refusal.reason is reason
    assert worker.ledger.appended == []
    assert [(one.reason, json.loads(one.ask)["method"]) for one in noted] in (
        [(reason, "GET_REGION")],
        [],  # a caller who is not known is only counted
    )


async def test_a_region_that_no_list_has_is_a_refusal_and_recorded_without_a_person(
    worker: Worker,
) -> None:
    worker.build()
    await worker.regions.poll()
    refusal, (noted,) = await worker.refused(RegionQuery(code="9999"))
    assert refusal.reason is Reason.REGION_UNKNOWN
    assert (noted.kind, noted.reason, noted.nik, noted.request_id) == (
        Kind.REFUSAL,
        Reason.REGION_UNKNOWN,
        "",
        "",
    )
    assert noted.agreement_version == 3
