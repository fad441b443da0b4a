"""The command `padan`, run as a process's main against a scripted server: output and exit codes."""

from __future__ import annotations

import io
import json
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import QuotaFailure

from padan.v1 import record_pb2, verification_pb2
from padan_client import PartnerKey, cli
from padan_client.keys import KeyKind, new_private_key, private_pem
from tests.unit.test_client_calls import (
    NAME,
    NIK,
    RunningServer,
    ScriptedService,
    answer,
    refuse,
    retry_info,
)

REQUEST_ID = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"
ANSWER_KEYS = {
    "outcome",
    "signals",
    "as_of",
    "age_seconds",
    "billable",
    "replayed",
    "budgets_left",
    "subject_token",
    "entry",
    "retry_after_seconds",
    "request_id",
}
VERIFY = ("verify", NIK, "--full-name", NAME, "--purpose", "ACCOUNT_OPENING")
LOOKUP = ("lookup", NIK, "--read-mask", "full_name,birth_date", "--purpose", "law_enforcement")


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of the command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self.out)
        return value


Padan = Callable[..., Run]


@pytest.fixture
def padan(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Padan:
    def run(*arguments: str, stdin: str = "") -> Run:
        monkeypatch.setattr(sys, "argv", ["padan", *arguments])
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        with pytest.raises(SystemExit) as exited:
            cli.main()
        printed = capsys.readouterr()
        return Run(int(exited.value.code or 0), printed.out, printed.err)

    return run


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ScriptedService]:
    """A running service, and an environment that names it and a key."""
    service = ScriptedService()
    server = RunningServer(service)
    key_file = tmp_path / "bank.pem"
    key_file.write_bytes(private_pem(new_private_key(KeyKind.ES256)))
    environment = {
        "PADAN_TARGET": server.target,
        "PADAN_PARTNER": "bank-a",
        "PADAN_KEY_ID": "key-1",
        "PADAN_KEY_FILE": str(key_file),
        "PADAN_INSECURE": "true",
        "COLUMNS": "120",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    yield service
    server.stop()


def matched() -> verification_pb2.VerifyResponse:
    message = verification_pb2.VerifyResponse(
        outcome=verification_pb2.OUTCOME_MATCHED,
        fields=[
            verification_pb2.FieldVerdict(
                element=record_pb2.ELEMENT_FULL_NAME,
                result=verification_pb2.FIELD_RESULT_MATCH,
                score_band=100,
                rules=[verification_pb2.MATCH_RULE_EXACT],
            )
        ],
        billable=True,
        budgets_left=verification_pb2.BudgetsLeft(day=41, month=899),
        entry=verification_pb2.EntryReference(log="log.test", index=7, statement_salt=b"salt"),
    )
    message.as_of.GetCurrentTime()
    return message


def test_a_match_exits_0_and_is_shown(padan: Padan, service: ScriptedService) -> None:
    service.script = [answer(matched())]
    run = padan(*VERIFY, "--request-id", REQUEST_ID)
    assert (run.code, run.err) == (0, "")
    shown = ["MATCHED", "✓", "full_name", "EXACT", "41 today, 899 this month", "log.test #7"]
    assert [text for text in (*shown, REQUEST_ID) if text not in run.out] == []
    assert NIK not in run.out
    assert NAME not in run.out


def test_a_mismatch_exits_1_and_is_shown(padan: Padan, service: ScriptedService) -> None:
    verdict = verification_pb2.FieldVerdict(
        element=record_pb2.ELEMENT_FULL_NAME, result=verification_pb2.FIELD_RESULT_DIFFERENT
    )
    mismatched = verification_pb2.VerifyResponse(
        outcome=verification_pb2.OUTCOME_MISMATCHED, fields=[verdict]
    )
    service.script = [answer(mismatched)]
    run = padan(*VERIFY)
    assert run.code == 1
    assert "MISMATCHED" in run.out
    assert "✗" in run.out


def test_the_json_of_a_verify_has_stable_keys(padan: Padan, service: ScriptedService) -> None:
    service.script = [answer(matched())]
    value = padan(*VERIFY, "--json").json
    assert set(value) == ANSWER_KEYS | {"matched", "fields"}
    assert (value["matched"], value["outcome"]) == (True, "MATCHED")
    assert value["fields"] == {
        "full_name": {"result": "MATCH", "score_band": 100, "rules": ["EXACT"]}
    }
    assert value["budgets_left"] == {"day": 41, "month": 899}
    assert value["entry"] == {
        "log": "log.test",
        "index": 7,
        "time": None,
        "statement_salt": "c2FsdA==",
    }
    assert 0 <= value["age_seconds"] < 60


def test_every_claim_and_circumstance_reaches_the_service(
    padan: Padan, service: ScriptedService
) -> None:
    texts = [name for name in record_pb2.Claims.DESCRIPTOR.fields_by_name if name != "full_name"]
    values = {name: "1" for name in texts} | {"sex": "FEMALE", "marital_status": "single"}
    claims = [text for name in texts for text in (f"--{name.replace('_', '-')}", values[name])]
    about = {
        "--consent": "form 12",
        "--consent-sha256": "00" * 32,
        "--consent-given-at": "2026-01-31T09:30:00+07:00",
        "--case-reference": "case 1",
        "--operator": "desk 2",
        "--max-staleness": "1.5",
    }
    run = padan(*VERIFY, *claims, *(text for pair in about.items() for text in pair))
    assert run.code == 0, run.err
    [request] = service.requests
    assert isinstance(request, verification_pb2.VerifyRequest)
    assert {each.name for each, _ in request.claims.ListFields()} == {"full_name", *texts}
    set_fields = {each.name for each, _ in request.ListFields()}
    assert set_fields == set(verification_pb2.VerifyRequest.DESCRIPTOR.fields_by_name)


def test_a_lookup_shows_the_record_as_it_stands(padan: Padan, service: ScriptedService) -> None:
    person = record_pb2.Person(full_name="[bold]SITI", birth_date="1990-01-01")
    found = verification_pb2.LookupResponse(outcome=verification_pb2.OUTCOME_FOUND, person=person)
    service.script = [answer(found)]
    run = padan(*LOOKUP)
    assert run.code == 0
    assert "[bold]SITI" in run.out
    value = padan(*LOOKUP, "--json").json
    assert set(value) == ANSWER_KEYS | {"found", "person"}
    assert value["person"] == {"full_name": "[bold]SITI", "birth_date": "1990-01-01"}


def test_a_lookup_that_finds_nobody_exits_1(padan: Padan, service: ScriptedService) -> None:
    nobody = verification_pb2.LookupResponse(outcome=verification_pb2.OUTCOME_NOT_FOUND)
    service.script = [answer(nobody)]
    assert padan(*LOOKUP).code == 1


@pytest.mark.parametrize("argument", [(), ("-",)])
def test_the_nik_is_read_from_standard_input(
    padan: Padan, service: ScriptedService, argument: tuple[str, ...]
) -> None:
    run = padan(
        "verify", *argument, "--purpose", "ACCOUNT_OPENING", "--rt", "1", stdin=f"{NIK}\nrest"
    )
    assert run.code == 0, run.err
    assert isinstance(service.requests[0], verification_pb2.VerifyRequest)
    assert service.requests[0].nik == NIK


EXITS = [
    (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_INVALID", 2),
    (grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED", 2),
    (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_ID_EXPIRED", 2),
    (grpc.StatusCode.UNAUTHENTICATED, "KEY_UNKNOWN", 3),
    (grpc.StatusCode.PERMISSION_DENIED, "PURPOSE_NOT_GRANTED", 3),
    (grpc.StatusCode.RESOURCE_EXHAUSTED, "BUDGET_SPENT", 3),
    (grpc.StatusCode.FAILED_PRECONDITION, "TOO_STALE", 4),
    (grpc.StatusCode.INTERNAL, "INTERNAL", 4),
    (grpc.StatusCode.ABORTED, "NOT_YET_INVENTED", 4),
]


@pytest.mark.parametrize(("code", "reason", "exit_code"), EXITS, ids=[r for _, r, _ in EXITS])
def test_an_error_exits_by_its_kind_and_says_what_to_do(
    padan: Padan,
    service: ScriptedService,
    code: grpc.StatusCode,
    reason: str,
    exit_code: int,
) -> None:
    service.script = [refuse(code, reason)]
    run = padan(*VERIFY, "--request-id", REQUEST_ID)
    assert (run.code, run.out) == (exit_code, "")
    assert "Not verified" in run.err
    assert [text for text in (reason, "what to do", REQUEST_ID) if text not in run.err] == []
    assert NIK not in run.err


def test_the_json_of_an_error_has_stable_keys(padan: Padan, service: ScriptedService) -> None:
    quota = QuotaFailure(violations=[QuotaFailure.Violation(subject="budget:day")])
    service.script = [
        refuse(grpc.StatusCode.RESOURCE_EXHAUSTED, "BUDGET_SPENT", quota, retry_info(60))
    ]
    run = padan(*VERIFY, "--json", "--request-id", REQUEST_ID)
    error = run.json["error"]
    assert run.code == 3
    assert error.pop("message").startswith("BUDGET_SPENT: ")
    assert error.pop("hint")
    assert error == {
        "type": "BudgetSpent",
        "reason": "BUDGET_SPENT",
        "request_id": REQUEST_ID,
        "retry_after_seconds": 60.0,
        "fields": {},
        "elements": [],
        "window": "day",
    }


@pytest.mark.parametrize(
    "wrong",
    [
        ("verify",),
        ("verify", "--purpose", "ACCOUNT_OPENING"),
        (*VERIFY, "--purpose", "CURIOSITY"),
        (*VERIFY, "--key-file", "absent.pem"),
        (*VERIFY, "--target", "padan.example:443"),
        (*VERIFY, "--timeout", "0"),
        (*VERIFY, "--consent-sha256", "zz"),
        (*VERIFY, "--max-staleness", "1e300"),
        ("key", "new"),
    ],
    ids=lambda arguments: " ".join(arguments[-2:]),
)
def test_wrong_usage_exits_2_and_sends_nothing(
    padan: Padan, service: ScriptedService, wrong: tuple[str, ...]
) -> None:
    run = padan(*wrong)
    assert (run.code, run.out) == (2, "")
    assert run.err
    assert service.requests == []


def test_a_fault_of_the_command_itself_is_no_answer_and_tells_nothing(
    padan: Padan, service: ScriptedService, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: object, **options: object) -> None:
        raise RuntimeError(f"{NIK} {NAME}")

    monkeypatch.setattr(cli, "show_verification", broken)
    run = padan(*VERIFY)
    assert (run.code, run.out) == (4, "")
    assert run.err == "padan: internal fault: RuntimeError\n"


@pytest.mark.parametrize("kind", ["EdDSA", "es256"])
def test_a_new_key_is_private_and_its_public_half_is_printed(
    padan: Padan, tmp_path: Path, kind: str
) -> None:
    file = tmp_path / "new.pem"
    run = padan("key", "new", "--out", str(file), "--kind", kind)
    assert run.code == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    key = PartnerKey("bank-a", private_key=file)
    assert run.json["kid"] == key.key_id
    assert run.json["alg"].lower() == kind.lower()
    assert "d" not in run.json


def test_an_existing_key_is_left_as_it_is(padan: Padan, tmp_path: Path) -> None:
    file = tmp_path / "new.pem"
    file.write_text("precious")
    run = padan("key", "new", "--out", str(file))
    assert (run.code, run.out) == (2, "")
    assert file.read_text() == "precious"


@pytest.mark.parametrize("command", [(), ("verify",), ("lookup",)])
def test_help_documents_the_exit_codes(padan: Padan, command: tuple[str, ...]) -> None:
    run = padan(*command, "--help")
    assert run.code == 0
    assert "Exit codes: 0 matched, or found" in run.out


def test_version_is_printed(padan: Padan) -> None:
    assert padan("version").out.startswith("padan ")
