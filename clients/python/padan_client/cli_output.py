"""What the command prints: answers and errors, for people and as JSON with stable keys."""

from __future__ import annotations

import base64
from datetime import date, datetime, timedelta
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from padan_client.errors import BudgetSpent, PadanError, PermissionDenied, RequestInvalid
from padan_client.results import Answer, EntryReference, LookupResult, Verification
from padan_client.vocabulary import FieldResult, Outcome

_MARKS = {
    FieldResult.MATCH: ("✓", "green"),
    FieldResult.CLOSE: ("≈", "yellow"),
    FieldResult.DIFFERENT: ("✗", "red"),
    FieldResult.NOT_ON_RECORD: ("-", "dim"),
    FieldResult.UNRECOGNISED: ("?", "dim"),
}

_Json = dict[str, Any]


def verification_json(result: Verification) -> _Json:
    """Give a verify's answer as JSON values; the keys are documented in the README."""
    verdicts = {
        name: {
            "result": verdict.result,
            "score_band": verdict.score_band,
            "rules": list(verdict.rules),
        }
        for name, verdict in result.fields.items()
    }
    return {"matched": result.matched, "fields": verdicts, **_answer_json(result)}


def lookup_json(result: LookupResult) -> _Json:
    """Give a lookup's answer as JSON values."""
    person = {name: _plain(value) for name, value in result.person.elements().items()}
    return {"found": result.found, "person": person, **_answer_json(result)}


def error_json(error: PadanError) -> _Json:
    """Give an error as JSON values, under one key that no answer has."""
    return {
        "error": {
            "type": type(error).__name__,
            "reason": error.reason,
            "message": str(error),
            "hint": error.hint,
            "request_id": error.request_id,
            "retry_after_seconds": seconds_of(error.retry_after),
            "fields": error.fields if isinstance(error, RequestInvalid) else {},
            "elements": list(error.elements) if isinstance(error, PermissionDenied) else [],
            "window": error.window if isinstance(error, BudgetSpent) else "",
        }
    }


def _answer_json(answer: Answer) -> _Json:
    return {
        "outcome": answer.outcome,
        "signals": list(answer.signals),
        "as_of": time_text(answer.as_of),
        "age_seconds": seconds_of(answer.age),
        "billable": answer.billable,
        "replayed": answer.replayed,
        "budgets_left": {"day": answer.budgets_left.day, "month": answer.budgets_left.month},
        "subject_token": answer.subject_token,
        "entry": None if answer.entry is None else entry_json(answer.entry),
        "retry_after_seconds": seconds_of(answer.retry_after),
        "request_id": answer.request_id,
    }


def entry_json(entry: EntryReference) -> _Json:
    """Give where an entry stands as JSON values."""
    return {
        "log": entry.log,
        "index": entry.index,
        "time": time_text(entry.time),
        "statement_salt": base64.b64encode(entry.statement_salt).decode(),
    }


def show_verification(console: Console, result: Verification) -> None:
    """Print a verify's answer for people."""
    _show_outcome(console, result, is_yes=result.matched)
    if result.fields:
        table = Table("", "claim", "result", "score", "rules", box=None, pad_edge=False)
        for name, verdict in result.fields.items():
            mark, style = _MARKS[verdict.result]
            score = str(verdict.score_band) if verdict.score_band else ""
            table.add_row(
                Text(mark, style=style), name, verdict.result, score, ", ".join(verdict.rules)
            )
        console.print(table)
    _show_circumstances(console, result)


def show_lookup(console: Console, result: LookupResult) -> None:
    """Print a lookup's answer for people."""
    _show_outcome(console, result, is_yes=result.found)
    table = Table("element", "on record", box=None, pad_edge=False)
    for name, value in result.person.elements().items():
        # As Text: a value of the registry is never markup.
        table.add_row(name, Text(str(_plain(value))))
    if table.row_count:
        console.print(table)
    _show_circumstances(console, result)


def show_error(console: Console, error: PadanError, *, failed: str) -> None:
    """Print an error for people: what happened, what to do, and under which id."""
    console.print(Text(f"{failed}: {type(error).__name__}", style="bold red"))
    details = {
        "error": str(error),
        "elements": ", ".join(error.elements) if isinstance(error, PermissionDenied) else "",
        "window": error.window if isinstance(error, BudgetSpent) else "",
        "again after": _wait(error.retry_after),
        "what to do": error.hint,
        "request id": error.request_id,
    }
    show_pairs(console, details)


def _show_outcome(console: Console, answer: Answer, *, is_yes: bool) -> None:
    console.print(Text(answer.outcome, style="bold green" if is_yes else "bold red"))


def _show_circumstances(console: Console, answer: Answer) -> None:
    left = answer.budgets_left
    budgets = {"today": left.day, "this month": left.month}
    entry = answer.entry
    details = {
        "signals": ", ".join(answer.signals),
        "data as of": _as_of(answer),
        "again after": _wait(answer.retry_after),
        "charged": _charge(answer),
        "calls left": ", ".join(f"{n} {when}" for when, n in budgets.items() if n is not None),
        "entry": "" if entry is None else f"{entry.log} #{entry.index}",
        "request id": answer.request_id,
    }
    show_pairs(console, details)
    if answer.outcome is Outcome.MATCHED:
        console.print(
            Text("A match proves possession of data, not presence of the person.", style="dim")
        )


def show_pairs(console: Console, pairs: dict[str, str]) -> None:
    """Print names and texts beside each other; empty texts are left out."""
    grid = Table.grid(padding=(0, 2))
    for name, text in pairs.items():
        if text:
            grid.add_row(Text(name, style="dim"), Text(text))
    console.print(grid)


def _charge(answer: Answer) -> str:
    if answer.replayed:
        return "no: this request id had been answered before"
    return "yes" if answer.billable else "no"


def _as_of(answer: Answer) -> str:
    if answer.as_of is None or answer.age is None:
        return ""
    time = answer.as_of.isoformat(sep=" ", timespec="milliseconds")
    return f"{time} ({answer.age.total_seconds():.1f} s old)"


def _wait(duration: timedelta | None) -> str:
    return "" if duration is None else f"{duration.total_seconds():g} s"


def seconds_of(duration: timedelta | None) -> float | None:
    """Give a duration in seconds."""
    return None if duration is None else duration.total_seconds()


def time_text(time: datetime | None) -> str | None:
    """Give a moment in RFC 3339."""
    return None if time is None else time.isoformat()


def _plain(value: str | int | date) -> str | int:
    return value.isoformat() if isinstance(value, date) else value
