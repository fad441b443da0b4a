"""What the demonstration shows: calls through the SDK, each with what came of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from padan_client import Client, LookupResult, PadanError, Verification
from padan_client.errors import BudgetSpent, PermissionDenied, RequestInvalid
from padan_server.embedded.documented import DocumentedPerson, documented_people
from padan_server.embedded.rows import PersonRow


@dataclass(frozen=True, slots=True)
class Scene:
    """One call: what is asked, what came of it, and the answer or error itself."""

    title: str
    came: str
    result: Verification | LookupResult | PadanError


BANK = "ACCOUNT_OPENING"
AGENCY = "PUBLIC_SERVICE"

_PEOPLE: dict[str, DocumentedPerson] = {person.key: person for person in documented_people()}


def outcomes(bank: Client) -> Iterator[Scene]:
    """Every outcome of a verification, and the signals worth seeing."""
    for key, title in (
        ("ordinary-woman", "name, birth date and mother's name as on the card"),
        ("mononym", "a name of one word"),
        ("retired-prefix", "a NIK whose district code was retired in the split of Papua"),
        ("corrected-birth-date", "a birth date corrected after the NIK was given"),
        ("deceased", "a person who has died"),
        ("inactive", "an inactive record"),
        ("duplicate", "a record known as a duplicate"),
    ):
        row = _row(key)
        yield _verify(
            title,
            bank,
            row.nik,
            full_name=row.full_name,
            birth_date=date.fromisoformat(row.birth_date),
            mother_name=row.mother_name or "",
        )
    woman = _row("ordinary-woman")
    born = date.fromisoformat(woman.birth_date)
    yield _verify(
        "the same woman, typed in lower case",
        bank,
        woman.nik,
        full_name=woman.full_name.lower(),
        birth_date=born,
    )
    yield _verify(
        "another mother's name",
        bank,
        woman.nik,
        full_name=woman.full_name,
        birth_date=born,
        mother_name="WRONG EXAMPLE",
    )
    yield _verify(
        "day and month of birth swapped",
        bank,
        woman.nik,
        full_name=woman.full_name,
        birth_date=born.replace(month=born.day, day=born.month),
    )
    behind = _row("region-behind")
    yield _verify(
        "a wrong name, in a regency whose records are behind: not charged",
        bank,
        behind.nik,
        full_name="WRONG EXAMPLE",
        birth_date=date.fromisoformat(behind.birth_date),
    )
    yield _verify(
        "a NIK that nobody has", bank, _PEOPLE["not-registered"].nik, full_name="NOBODY EXAMPLE"
    )
    yield _verify(
        "a NIK of a regency that is not centralised yet",
        bank,
        _PEOPLE["not-yet-centralised"].nik,
        full_name="NOBODY EXAMPLE",
    )


def lookups(agency: Client) -> Iterator[Scene]:
    """A lookup that is granted, and one with an element that is not."""
    woman = _row("ordinary-woman")
    yield _lookup(
        "an agency looks up what it is granted", agency, woman.nik, "full_name", "village_code"
    )
    yield _lookup("an element that is not granted", agency, woman.nik, "full_name", "religion")


def retry(bank: Client) -> Iterator[Scene]:
    """The same request twice: the second is a replay, and not charged."""
    woman = _row("ordinary-woman")
    request_id = bank.new_request_id()
    for title in ("a call", "the same call again, with the same request_id"):
        yield _verify(title, bank, woman.nik, request_id=request_id, full_name=woman.full_name)


def spending(kiosk: Client, *, budget: int) -> Iterator[Scene]:
    """A budget, spent."""
    woman = _row("ordinary-woman")
    for number in range(1, budget + 2):
        yield _verify(
            f"call {number} on a daily budget of {budget}",
            kiosk,
            woman.nik,
            full_name=woman.full_name,
        )


def refused(bank: Client) -> Iterator[Scene]:
    """Requests that get no answer."""
    yield _verify("a NIK of 15 digits", bank, "317101520390900", full_name="NOBODY EXAMPLE")
    yield _lookup("a bank tries a lookup", bank, _row("ordinary-woman").nik, "full_name")


def _row(key: str) -> PersonRow:
    row = _PEOPLE[key].row
    assert row is not None, f"{key} is no documented person on record"
    return row


def _verify(
    title: str, client: Client, nik: str, *, request_id: str | None = None, **claims: object
) -> Scene:
    try:
        result = client.verify(
            nik,
            claims,
            purpose=BANK,
            operator="desk-1",
            case_reference="demo",
            max_staleness=timedelta(minutes=5),
            request_id=request_id,
        )
    except PadanError as error:
        return Scene(title, _refusal(error), error)
    told = [
        f"{name} {verdict.result}" for name, verdict in result.fields.items() if not verdict.matched
    ]
    told += [signal.value for signal in result.signals]
    if result.replayed:
        told.append("replayed")
    charged = "charged" if result.billable else "not charged"
    return Scene(title, ", ".join([result.outcome, *told, charged]), result)


def _lookup(title: str, client: Client, nik: str, *elements: str) -> Scene:
    try:
        result = client.lookup(nik, elements, purpose=AGENCY, operator="desk-1")
    except PadanError as error:
        return Scene(title, _refusal(error), error)
    values = ", ".join(f"{name}={value}" for name, value in result.person.elements().items())
    return Scene(title, f"{result.outcome}, {values}", result)


def _refusal(error: PadanError) -> str:
    match error:
        case PermissionDenied() if error.elements:
            return f"refused: {error.reason} ({', '.join(error.elements)})"
        case BudgetSpent():
            hours = error.retry_after / timedelta(hours=1) if error.retry_after else 0.0
            return f"refused: {error.reason} ({error.window}; again in {hours:.1f} h)"
        case RequestInvalid():
            broken = "; ".join(f"{field}: {rule}" for field, rule in error.fields.items())
            return f"refused: {error.reason} ({broken})"
        case _:
            return f"refused: {error.reason}"
