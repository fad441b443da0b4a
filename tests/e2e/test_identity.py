"""Who may call: tokens, keys, partners' state; each refusal leaves its trace."""

from __future__ import annotations

import json
import time
import uuid
from datetime import date, timedelta

import grpc
import jwt
import pytest

from padan.v1.verification_pb2 import Purpose, VerifyRequest
from padan.v1.verification_pb2_grpc import VerificationServiceStub
from padan_client import Client, PadanError, PartnerKey, PermissionDenied, Unauthenticated
from padan_client.keys import KeyKind, new_private_key, public_jwk
from tests.support.padan import Padan

NIK = "3171015203909001"


def call_with(running: Padan, *metadata: tuple[str, str]) -> grpc.RpcError:
    with grpc.insecure_channel(running.serving.target) as channel:
        request = VerifyRequest(nik=NIK, purpose=Purpose.PURPOSE_ACCOUNT_OPENING)
        with pytest.raises(grpc.RpcError) as refused:
            VerificationServiceStub(channel).Verify(request, metadata=metadata, timeout=5)
    return refused.value


def verify(client: Client) -> bool:
    return client.verify(NIK, full_name="X EXAMPLE", purpose="ACCOUNT_OPENING").matched


def test_call_without_a_token_is_refused_and_counted_by_address(running: Padan) -> None:
    assert call_with(running).code() is grpc.StatusCode.UNAUTHENTICATED
    (summary, *_) = running.entries_until("padan", 1, kind="SUMMARY", reason="TOKEN_MISSING")
    assert summary["count"] >= 1
    assert summary["ask"]["network"] == "LOOPBACK"
    assert "127.0.0.1" not in str(summary)


def test_token_for_two_hours_is_refused(running: Padan) -> None:
    key = new_private_key(KeyKind.EDDSA)
    credentials = running.partner("bank-long", key=key)
    now = int(time.time())
    claims = {"iss": "bank-long", "aud": "padan", "iat": now, "exp": now + 7200, "jti": "1"}
    token = jwt.encode(claims, key, algorithm="EdDSA", headers={"kid": credentials.key_id})
    refused = call_with(running, ("authorization", f"Bearer {token}"))
    assert refused.code() is grpc.StatusCode.UNAUTHENTICATED


def test_es256_key_is_accepted(running: Padan) -> None:
    credentials = running.partner("bank-es256", key=new_private_key(KeyKind.ES256))
    with running.client(credentials) as client:
        assert not verify(client)


def test_key_of_another_partner_is_refused(running: Padan) -> None:
    running.partner("bank-victim")
    stranger = PartnerKey("bank-victim", private_key=new_private_key(KeyKind.EDDSA))
    with running.client(stranger) as client, pytest.raises(Unauthenticated) as refused:
        verify(client)
    assert refused.value.reason == "KEY_UNKNOWN"


def test_revoked_key_is_refused_although_its_token_was_accepted(running: Padan) -> None:
    credentials = running.partner("bank-revoked")
    with running.client(credentials) as client:
        verify(client)
        running.command("key", "revoke", "bank-revoked", "--key-id", credentials.key_id)
        with pytest.raises(PadanError) as refused:
            verify(client)
    assert refused.value.reason == "KEY_UNKNOWN"


def test_suspended_partner_is_refused_and_no_answer_follows(running: Padan) -> None:
    with running.client(running.partner("bank-suspended")) as client:
        verify(client)
        running.command("partner", "suspend", "bank-suspended")
        with pytest.raises(PermissionDenied) as refused:
            verify(client)
        assert refused.value.reason == "PARTNER_SUSPENDED"
        running.command("partner", "resume", "bank-suspended")
        running.settle()
        verify(client)
    kinds = [
        entry["control"]["action"] if entry["kind"] == "CONTROL" else entry["kind"]
        for entry in running.entries_until("bank-suspended", 7)
    ]
    suspended = kinds.index("PARTNER_SUSPENDED")
    resumed = kinds.index("PARTNER_RESUMED")
    assert "ANSWER" in kinds[:suspended]
    assert "ANSWER" not in kinds[suspended:resumed]
    assert "ANSWER" in kinds[resumed:]


def test_agreement_that_has_ended_is_refused(running: Padan) -> None:
    credentials = running.partner(
        "bank-ended", valid_from=date(2020, 1, 1), valid_until=date(2020, 12, 31)
    )
    with running.client(credentials) as client, pytest.raises(PermissionDenied) as refused:
        verify(client)
    assert refused.value.reason == "AGREEMENT_MISSING"


def test_many_refusals_become_twenty_entries_and_a_count(running: Padan) -> None:
    calls = 60
    with running.client(running.partner("bank-noisy")) as client:
        for _ in range(calls):
            with pytest.raises(PermissionDenied):
                client.verify(NIK, full_name="X EXAMPLE", purpose="LAW_ENFORCEMENT")
    running.entries_until("bank-noisy", 1, kind="SUMMARY", reason="PURPOSE_NOT_GRANTED")
    time.sleep(1.2)  # two periods: every worker has summed up
    entries = running.entries("bank-noisy")
    singles = [e for e in entries if e["kind"] == "REFUSAL"]
    summed = sum(e["count"] for e in entries if e["kind"] == "SUMMARY")
    assert len(singles) + summed == calls
    assert summed > 0


def test_old_request_id_is_refused(running: Padan) -> None:
    credentials = running.partner("bank-old")
    milliseconds = int((time.time() - 73 * 3600) * 1000)
    old = uuid.UUID(int=(milliseconds << 80) | (7 << 76) | (2 << 62) | 1)
    with running.client(credentials) as client, pytest.raises(PadanError) as refused:
        client.verify(NIK, full_name="X EXAMPLE", purpose="ACCOUNT_OPENING", request_id=str(old))
    assert refused.value.reason == "REQUEST_ID_EXPIRED"


@pytest.mark.parametrize(
    "arguments",
    [
        ("partner", "add", "Bank_Upper", "--name", "X"),
        ("partner", "add", "padan", "--name", "X"),
        ("partner", "suspend", "nobody"),
        (
            "agreement",
            "add",
            "nobody",
            "--purpose",
            "ACCOUNT_OPENING",
            "--valid-until",
            "2030-01-01",
        ),
    ],
)
def test_operator_gets_one_clear_line(running: Padan, arguments: tuple[str, ...]) -> None:
    done = running.command(*arguments, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error ")
    assert "Traceback" not in done.stderr


def test_operator_sets_a_partner_up_by_the_command_line(running: Padan) -> None:
    key = new_private_key(KeyKind.ES256)
    jwk = running.installation.directory / "bank-command.jwk"
    jwk.write_text(json.dumps(public_jwk(key)), "utf-8")
    until = str(date.today() + timedelta(days=30))
    for arguments, told in (
        (("partner", "add", "bank-command", "--name", "Bank"), "partner bank-command added"),
        (("key", "add", "bank-command", "--jwk", str(jwk)), "of partner bank-command added"),
        (
            ("agreement", "add", "bank-command", "--purpose", "ACCOUNT_OPENING",
             "--valid-until", until, "--budget-day", "5"),
            "version 1 is in force",
        ),
    ):  # fmt: skip
        assert told in running.command(*arguments).stdout
    running.settle()
    with running.client(PartnerKey("bank-command", private_key=key)) as client:
        answer = client.verify(NIK, full_name="X EXAMPLE", purpose="ACCOUNT_OPENING")
    assert answer.budgets_left.day == 4
    listed = running.command("partner", "list").stdout
    assert "bank-command" in listed
