"""The rules that `padan-verify` replays: the notary keeps them, and what breaks one is told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import msgspec
import pytest

from padan_client.verify.errors import EntryInvalid
from padan_client.verify.findings import FINDINGS_MAX, EnoughFound, Findings
from padan_client.verify.merkle import leaf_hash
from padan_client.verify.rules import Rules
from padan_client.verify.typed_entry import Reader
from padan_server.domain import canonical
from padan_server.domain.control import AddAgreement, Resume, RevokeKey, Suspend
from tests.support.ledger import LOG, NOON, again, agreement, refusal
from tests.support.log_entries import Log, asked, changed, rechained

HOUR = 3600 * 1_000_000
BEFORE_MIDNIGHT = NOON + 12 * HOUR - 1_000_000
"""A second before midnight in Jakarta."""


def replayed(entries: Sequence[bytes]) -> Rules:
    """Replay entries; `found` tells what is found."""
    findings = Findings()
    rules = Rules(LOG, findings)
    for index, data in enumerate(entries):
        try:
            entry = Reader().parse(data)
        except EntryInvalid:
            rules.skip()
        else:
            rules.take(index, entry, leaf_hash(data))
    return rules


def found(entries: Sequence[bytes]) -> list[str]:
    return [str(finding) for finding in replayed(entries)._findings.found]


def log_with(*partners: str, **special: Any) -> Log:
    log = Log()
    for name in partners or ("bank",):
        log.add_partner(name, **special)
    return log


def edit(entries: Sequence[bytes], index: int, **fields: Any) -> list[bytes]:
    """Give a log that lies at an index and nowhere else: all chains fit."""
    made = list(entries)
    made[index] = changed(made[index], **fields)
    return rechained(made)


def part(data: bytes, name: str, **fields: Any) -> dict[str, Any]:
    value: dict[str, Any] = canonical.loads(data)[name] | fields
    return {key: each for key, each in value.items() if each is not None}


def test_busy_log_keeps_the_rules() -> None:
    log = log_with("bank", "clinic", budget_day=3, budget_month=4)
    first = asked()
    log.append(first, asked(partner="clinic"), again(first), refusal(), asked(billable=False))
    log.append(asked(), asked(), asked(), asked(outcome="NOT_YET_REPLICATED", billable=False))
    log.append(again(first), at=NOON + HOUR)
    log.append(asked(at=BEFORE_MIDNIGHT), at=BEFORE_MIDNIGHT)
    after = BEFORE_MIDNIGHT + 2_000_000
    log.append(asked(at=after), asked(at=after), at=after)
    log.control(
        AddAgreement(partner="bank", agreement=agreement(version=0, price_rupiah=5)), at=after
    )
    log.append(asked(at=after, agreement_version=2), asked(agreement_version=1), at=after)
    log.control(Suspend(partner="bank"), at=after)
    log.append(asked(at=after, agreement_version=2), at=after)
    log.control(Resume(partner="bank"), at=after)
    log.control(RevokeKey(partner="bank", key_id="key-1"), at=after)
    log.append(asked(at=after, agreement_version=2), at=after)

    rules = replayed(log.entries)

    assert [str(one) for one in rules._findings.found] == []
    assert rules.kinds.keys() == {"ANSWER", "CONTROL", "FAULT", "REFUSAL", "REPLAY"}
    assert (rules.charges, rules.rupiah) == (6, 5005)


def test_entry_at_another_index_or_of_another_log_is_found() -> None:
    log = log_with()
    log.append(asked())
    at = len(log.entries) - 1

    assert found([*log.entries[:at], changed(log.entries[at], index=7)]) == [
        f"entry: entry {at}: says that it stands elsewhere"
    ]
    assert found([*log.entries[:at], changed(log.entries[at], log="other")]) == [
        f"entry: entry {at}: says that it stands elsewhere"
    ]


def test_time_that_goes_back_or_has_another_form_is_found() -> None:
    log = log_with()
    log.append(asked(), at=NOON + HOUR)

    assert found(edit(log.entries, 3, time="2026-11-24T04:59:59.999999Z")) == [
        "entry: entry 3: goes back in time"
    ]
    for text in ("2026-11-24T05:00:00.000000z", "2026-11-24T05:60:00.000000Z"):
        assert found(edit(log.entries, 3, time=text))[0] == (
            "entry: entry 3: has a time of another form"
        )


def test_entry_left_out_of_a_chain_is_found() -> None:
    log = log_with("bank", "clinic")
    log.append(asked(), asked(partner="clinic"), asked(), asked())
    kept = [data for number, data in enumerate(log.entries) if number != 6]
    renumbered = [changed(data, index=index) for index, data in enumerate(kept)]

    assert [one for one in found(renumbered) if one.startswith("chain")] == [
        "chain: entry 7: is number 4 of bank, not 3",
        "chain: entry 8: does not follow the last entry of bank",
    ]


def test_chain_that_begins_with_a_link_is_found() -> None:
    log = log_with()

    lie = changed(log.entries[0], partner_previous="A" * 43 + "=")
    assert found([lie])[0] == "chain: entry 0: does not follow the last entry of bank"


def test_unreadable_entry_is_forgiven_to_whoever_it_was_of() -> None:
    log = log_with("bank", "clinic")
    first = asked()
    log.append(first, asked(partner="clinic"), asked(), again(first), asked(partner="clinic"))
    entries: list[bytes] = list(log.entries)
    entries[6] = b"unreadable"

    assert found(entries) == []


def test_answer_beyond_a_budget_is_found_by_day_and_by_month() -> None:
    log = log_with()
    log.append(asked(), asked())

    def budget(**limits: int) -> list[bytes]:
        action = part(log.entries[2], "control")
        return edit(log.entries, 2, control=action | {"agreement": action["agreement"] | limits})

    assert found(budget(budget_day=2, budget_month=2)) == []
    assert found(budget(budget_day=1)) == [
        "charge: entry 4: is charged to day:2026-11-24 of bank beyond the budget of 1"
    ]
    assert found(budget(budget_month=1)) == [
        "charge: entry 4: is charged to month:2026-11 of bank beyond the budget of 1"
    ]


@pytest.mark.parametrize(
    ("charge", "text"),
    [
        ({"price": 999}, "is charged at 999 rupiah, not 1000"),
        ({"windows": ["day:2026-11-24"]}, "is charged to other windows than its time's"),
        (
            {"windows": ["day:2026-11-25", "month:2026-11"]},
            "is charged to other windows than its time's",
        ),
        ({"windows": []}, "is charged to other windows than its time's"),
    ],
)
def test_charge_that_is_not_the_agreements_is_found(charge: dict[str, Any], text: str) -> None:
    log = log_with()
    log.append(asked())

    entries = edit(log.entries, 3, charge=part(log.entries[3], "charge", **charge))
    assert found(entries) == [f"charge: entry 3: {text}"]


def test_windows_change_at_midnight_in_jakarta() -> None:
    log = log_with(budget_day=1)
    after = BEFORE_MIDNIGHT + 1_000_000
    log.append(asked(at=BEFORE_MIDNIGHT), at=BEFORE_MIDNIGHT)
    log.append(asked(at=after), at=after)

    assert replayed(log.entries).charges == 2
    assert found(log.entries) == []
    assert len(found(edit(log.entries, 4, time="2026-11-24T16:59:59.999999Z"))) == 2


def test_charged_answer_that_should_be_free_is_found() -> None:
    log = log_with()
    log.append(asked(), asked())
    text = "is charged, but is an answer without a charge"

    answer = part(log.entries[3], "answer", outcome="NOT_YET_REPLICATED")
    assert found(edit(log.entries, 3, answer=answer)) == [f"charge: entry 3: {text}"]
    ask = part(log.entries[3], "ask", method="GET_REGION")
    assert found(edit(log.entries, 3, ask=ask)) == [f"charge: entry 3: {text}"]


@pytest.mark.parametrize(
    ("ask", "text"),
    [
        ({"method": "LOOKUP"}, "answers what the agreement does not grant"),
        ({"purpose": "DEMOCRACY"}, "answers what the agreement does not grant"),
        ({"elements": ["full_name", "address"]}, "answers what the agreement does not grant"),
        ({"purpose": None}, "answers what the agreement does not grant"),
        (
            {"agreement_version": 2},
            "answers bank under version 2 of the agreement, where 1 was in force",
        ),
        ({"key_id": "key-2"}, "answers bank although the key was not added, or is revoked"),
        ({"key_id": None}, "answers bank although the key was not added, or is revoked"),
    ],
)
def test_answer_outside_the_agreement_is_found(ask: dict[str, Any], text: str) -> None:
    log = log_with()
    log.append(asked())

    entries = edit(log.entries, 3, ask=part(log.entries[3], "ask", **ask))
    assert found(entries) == [f"agreement: entry 3: {text}"]


def test_regions_are_answered_without_a_grant() -> None:
    log = log_with()
    log.append(asked())
    ask = part(log.entries[3], "ask", method="LIST_REGIONS", purpose=None, elements=None)

    assert found(edit(log.entries, 3, ask=ask, charge=None)) == []


@pytest.mark.parametrize(
    ("left_out", "text"),
    [
        ("PARTNER_ADDED", "the partner was never added"),
        ("KEY_ADDED", "the key was not added, or is revoked"),
        ("AGREEMENT_ADDED", "no agreement is in force"),
    ],
)
def test_answers_without_standing_are_told_once(left_out: str, text: str) -> None:
    log = log_with()
    log.append(asked(), asked())
    kept = [data for data in log.entries if left_out.encode() not in data]

    told = [one for one in found(rechained(kept)) if text in one]
    assert told == [f"agreement: entry 2: answers bank although {text}"]


def test_answer_to_a_suspended_partner_or_outside_the_agreements_days_is_found() -> None:
    log = log_with()
    log.control(Suspend(partner="bank"))
    log.control(Resume(partner="bank"))
    log.append(asked())
    suspended = [data for data in log.entries if b"PARTNER_RESUMED" not in data]
    over = log_with(valid_until=date(2026, 11, 24))
    over.append(asked())
    late = edit(over.entries, 3, time="2026-11-24T17:00:00.000000Z")

    assert found(rechained(suspended)) == [
        "agreement: entry 4: answers bank although the partner is suspended"
    ]
    assert "agreement: entry 3: answers bank although no agreement is in force" in found(late)


@pytest.mark.parametrize(
    ("index", "control", "text"),
    [
        (0, {"action": "NOVELTY"}, "holds no action that this version knows"),
        (0, {"partner": "clinic"}, "holds an action on another partner"),
        (0, {"novelty": 1}, "holds no action that this version knows"),
        (1, {"key": {"key_id": 1}}, "holds no action that this version knows"),
        (2, {"agreement": {}}, "holds no action that this version knows"),
    ],
)
def test_action_that_is_none_is_found(index: int, control: dict[str, Any], text: str) -> None:
    log = log_with()

    entries = edit(log.entries, index, control=part(log.entries[index], "control", **control))
    assert found(entries)[0] == f"agreement: entry {index}: {text}"


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"version": 2}, "adds version 2 of the agreement, not 1"),
        ({"valid_until": "2019-12-31"}, "adds an agreement that ends before it starts"),
        ({"methods": ["LOOKUP"]}, "grants lookups to a private user"),
        ({"lookup_elements": ["address"]}, "grants lookups to a private user"),
        ({"budget_day": -1}, "holds no action that this version knows"),
        ({"price_rupiah": 10**12 + 1}, "holds no action that this version knows"),
        ({"valid_from": "yesterday"}, "holds no action that this version knows"),
    ],
)
def test_agreement_that_could_not_have_been_made_is_found(
    fields: dict[str, Any], text: str
) -> None:
    log = log_with()
    action = part(log.entries[2], "control")
    action["agreement"] |= fields

    assert found(edit(log.entries, 2, control=action)) == [f"agreement: entry 2: {text}"]


@pytest.mark.parametrize(
    ("twice", "text"),
    [
        (0, "adds a partner that is there already"),
        (1, "adds a key whose id is taken"),
        (2, "adds version 1 of the agreement, not 2"),
        (3, "suspends or resumes a partner that is so already"),
    ],
)
def test_action_taken_twice_is_found(twice: int, text: str) -> None:
    log = log_with()
    log.control(Suspend(partner="bank"))

    assert found(rechained([*log.entries, log.entries[twice]])) == [f"agreement: entry 4: {text}"]


def test_key_revoked_that_was_never_added_is_found() -> None:
    log = log_with()
    log.control(RevokeKey(partner="bank", key_id="key-1"))
    entries = [data for data in log.entries if b"KEY_ADDED" not in data]

    assert found(rechained(entries)) == ["agreement: entry 2: revokes a key that was never added"]


def test_request_id_answered_twice_is_found_in_either_spelling() -> None:
    log = log_with()
    log.append(asked(), asked())
    first = part(log.entries[3], "ask")["request_id"]

    for spelling in (first, first.upper()):
        entries = edit(log.entries, 4, ask=part(log.entries[4], "ask", request_id=spelling))
        assert found(entries) == [
            "request id: entry 4: answers a request_id that entry 3 had answered"
        ]


def test_request_ids_of_two_partners_are_two() -> None:
    log = log_with("bank", "clinic")
    draft = asked()
    log.append(draft, again(draft, partner="clinic"))

    assert found(log.entries) == []


@pytest.mark.parametrize(
    ("hours", "text"),
    [(-73, True), (-72, False), (-71, False), (0, False), (0.08, False), (0.09, True)],
)
def test_request_id_answered_outside_its_time_is_found(hours: float, text: bool) -> None:
    log = log_with()
    log.append(asked())
    other = asked(at=NOON + round(hours * HOUR)).request_id
    entries = edit(log.entries, 3, ask=part(log.entries[3], "ask", request_id=other))

    told = "request id: entry 3: answers a request_id whose time is over, or has not come"
    assert found(entries) == ([told] if text else [])


def test_request_id_that_is_none_is_found() -> None:
    log = log_with()
    log.append(asked())
    for other in ("", "x", "017f22e2-79b0-4cc3-98c4-dc0c0c07398f"):
        entries = edit(log.entries, 3, ask=part(log.entries[3], "ask", request_id=other))
        assert found(entries) == ["request id: entry 3: has a request_id that is no UUIDv7"]


def test_replay_of_another_entry_is_found() -> None:
    log = log_with()
    first = asked()
    log.append(first, asked(), again(first))

    assert found(edit(log.entries, 5, replay_of=4)) == [
        "request id: entry 5: replays entry 4, which did not answer its request_id"
    ]
    ask = part(log.entries[5], "ask", request_id=None)
    assert len(found(edit(log.entries, 5, ask=ask))) == 1


def test_request_ids_are_forgotten_after_72_hours_and_not_before() -> None:
    log = log_with()
    log.append(asked())
    for hours in range(1, 200):
        log.append(asked(at=NOON + hours * HOUR), at=NOON + hours * HOUR)

    rules = replayed(log.entries)
    assert [str(one) for one in rules._findings.found] == []
    assert 72 <= sum(map(len, rules._answered._buckets.values())) <= 74


def test_at_most_a_hundred_findings_are_told() -> None:
    log = log_with()
    log.append(*(asked() for _ in range(FINDINGS_MAX + 10)))
    broken = [changed(data, index=0) for data in log.entries]

    with pytest.raises(EnoughFound):
        replayed(broken)


def test_partner_that_is_not_known_is_the_services_own() -> None:
    log = log_with()
    log.append(msgspec.structs.replace(refusal(), partner="nobody"))

    assert b'"partner":"padan"' in log.entries[-1]
    assert found(log.entries) == []
