"""The agreement as policy: what a partner may ask; deny by default."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from padan_server.domain.agreement import (
    PURPOSES,
    Agreement,
    Grant,
    Partner,
    PartnerKind,
    authorize,
    check_standing,
)
from padan_server.domain.claims import LOOKUP_ELEMENTS, VERIFY_ELEMENTS, Method
from padan_server.domain.refusal import ElementsNotGranted, Reason, Refusal
from tests.support.builders import agreement, caller, partner, public_key, signing_key

TODAY = date(2026, 9, 21)
REVOKED = public_key("key-1", signing_key(), revoked=True)


def ask(of: Partner | None, **changes: Any) -> Grant:
    """Ask for something that the ordinary agreement grants, with these changes."""
    question: dict[str, Any] = {
        "caller": caller(),
        "method": Method.VERIFY,
        "purpose": "ACCOUNT_OPENING",
        "elements": ("full_name", "birth_date"),
        "today": TODAY,
    }
    return authorize(of, **(question | changes))


def without(**changes: Any) -> Partner:
    return partner(agreement=agreement(**changes))


def test_what_is_granted_passes_with_the_agreements_version() -> None:
    assert ask(partner()) == Grant("agency-a", PartnerKind.GOVERNMENT, agreement())


@pytest.mark.parametrize(
    ("of", "changes", "reason"),
    [
        (None, {}, Reason.KEY_UNKNOWN),
        (partner(), {"caller": caller(key_id="key-9")}, Reason.KEY_UNKNOWN),
        (partner(keys={"key-1": REVOKED}), {}, Reason.KEY_UNKNOWN),
        (partner(keys={}), {}, Reason.KEY_UNKNOWN),
        (partner(suspended=True), {}, Reason.PARTNER_SUSPENDED),
        (partner(agreement=None), {}, Reason.AGREEMENT_MISSING),
        (without(valid_from=date(2026, 9, 22)), {}, Reason.AGREEMENT_MISSING),
        (without(valid_until=date(2026, 9, 20)), {}, Reason.AGREEMENT_MISSING),
        (without(methods=frozenset({"LOOKUP"})), {}, Reason.METHOD_NOT_GRANTED),
        (without(methods=frozenset({"VERIFY"})), {"method": "LOOKUP"}, Reason.METHOD_NOT_GRANTED),
        (partner(), {"method": "DELETE"}, Reason.METHOD_NOT_GRANTED),
        (partner(), {"purpose": "CURIOSITY"}, Reason.PURPOSE_NOT_GRANTED),
        (partner(), {"purpose": ""}, Reason.PURPOSE_NOT_GRANTED),
        (without(purposes=frozenset({"DEMOCRACY"})), {}, Reason.PURPOSE_NOT_GRANTED),
        (without(verify_elements=frozenset({"full_name"})), {}, Reason.ELEMENT_NOT_GRANTED),
        (partner(), {"elements": ("religion",)}, Reason.ELEMENT_NOT_GRANTED),
        (
            without(lookup_elements=frozenset[str]()),
            {"method": Method.LOOKUP},
            Reason.ELEMENT_NOT_GRANTED,
        ),
    ],
)
def test_what_is_not_granted_is_refused_with_its_reason(
    of: Partner | None, changes: dict[str, Any], reason: Reason
) -> None:
    with pytest.raises(Refusal) as refused:
        ask(of, **changes)
    assert refused.value.reason is reason


def test_the_first_reason_that_applies_is_told() -> None:
    """A revoked key learns nothing of its partner; a suspended partner nothing of its agreement."""
    nothing = agreement(methods=frozenset[str](), purposes=frozenset[str]())
    with pytest.raises(Refusal) as refused:
        ask(partner(keys={"key-1": REVOKED}, suspended=True, agreement=nothing))
    assert refused.value.reason is Reason.KEY_UNKNOWN
    with pytest.raises(Refusal) as refused:
        ask(partner(suspended=True, agreement=nothing))
    assert refused.value.reason is Reason.PARTNER_SUSPENDED


def test_every_element_that_is_not_granted_is_named_once_and_in_order() -> None:
    with pytest.raises(ElementsNotGranted) as refused:
        ask(
            without(verify_elements=frozenset({"full_name"})),
            elements=("sex", "full_name", "birth_date", "birth_date"),
        )
    assert refused.value.elements == ["birth_date", "sex"]


def test_each_method_has_its_own_elements() -> None:
    apart = without(
        verify_elements=frozenset({"mother_name"}), lookup_elements=frozenset({"address"})
    )
    ask(apart, elements=("mother_name",))
    ask(apart, method=Method.LOOKUP, elements=("address",))
    for method, element in (("VERIFY", "address"), ("LOOKUP", "mother_name")):
        with pytest.raises(ElementsNotGranted):
            ask(apart, method=method, elements=(element,))


@pytest.mark.parametrize("today", [date(2026, 1, 1), date(2026, 12, 31)])
def test_an_agreement_holds_on_its_first_and_last_day(today: date) -> None:
    assert check_standing(partner(), "key-1", today) == agreement()


def some_of(values: tuple[str, ...]) -> st.SearchStrategy[frozenset[str]]:
    return st.frozensets(st.sampled_from(values))


DAYS = st.dates(date(2026, 1, 1), date(2026, 1, 20))
AGREEMENTS = st.builds(
    agreement,
    purposes=some_of(PURPOSES),
    methods=some_of(("VERIFY", "LOOKUP")),
    verify_elements=some_of(VERIFY_ELEMENTS),
    lookup_elements=some_of(LOOKUP_ELEMENTS),
    valid_from=DAYS,
    valid_until=DAYS,
)


def narrowed(one: Agreement, other: Agreement) -> Agreement:
    """Give what both agreements grant."""
    return agreement(
        purposes=one.purposes & other.purposes,
        methods=one.methods & other.methods,
        verify_elements=one.verify_elements & other.verify_elements,
        lookup_elements=one.lookup_elements & other.lookup_elements,
        valid_from=max(one.valid_from, other.valid_from),
        valid_until=min(one.valid_until, other.valid_until),
    )


def passes(of: Agreement, question: dict[str, Any]) -> bool:
    try:
        ask(partner(agreement=of), **question)
    except Refusal:
        return False
    return True


QUESTIONS = st.fixed_dictionaries(
    {
        "method": st.sampled_from(Method),
        "purpose": st.sampled_from(PURPOSES),
        "elements": st.lists(st.sampled_from(LOOKUP_ELEMENTS), max_size=2).map(tuple),
        "today": DAYS,
    }
)


@given(one=AGREEMENTS, other=AGREEMENTS, question=QUESTIONS)
def test_narrowing_an_agreement_never_widens_what_passes(
    one: Agreement, other: Agreement, question: dict[str, Any]
) -> None:
    both = passes(one, question) and passes(other, question)
    assert passes(narrowed(one, other), question) is both


@given(of=AGREEMENTS, question=QUESTIONS)
def test_what_passes_is_granted_by_each_line_of_the_agreement(
    of: Agreement, question: dict[str, Any]
) -> None:
    elements = of.verify_elements if question["method"] == "VERIFY" else of.lookup_elements
    assert passes(of, question) is (
        of.valid_from <= question["today"] <= of.valid_until
        and question["method"] in of.methods
        and question["purpose"] in of.purposes
        and set(question["elements"]) <= elements
    )
