"""`padan receipt verify` and `padan-verify` as mains: what they print, and their exit codes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest

from padan_client import cli, cli_audit
from tests.support.ledger import LOG
from tests.support.log_directory import Signer, checkpoint, leaf, receipt_of, write
from tests.support.log_entries import SALT, Log, changed

SIGNER = Signer(LOG, 1)
WITNESS = Signer("w.test", 2, 4)
OTHER = Signer("v.test", 3, 4)


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self.out)
        return value


Command = Callable[..., Run]


@pytest.fixture
def padan(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return _command(cli.main, ["padan", "receipt", "verify"], monkeypatch, capsys)


@pytest.fixture
def padan_verify(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return _command(cli_audit.main, ["padan-verify"], monkeypatch, capsys)


def _command(
    main: Callable[[], NoReturn],
    words: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Command:
    def run(*arguments: str | Path, key: str = SIGNER.vkey) -> Run:
        monkeypatch.setenv("COLUMNS", "200")
        monkeypatch.setattr(sys, "argv", [*words, "--log-key", key, *map(str, arguments)])
        with pytest.raises(SystemExit) as exited:
            main()
        printed = capsys.readouterr()
        return Run(int(exited.value.code or 0), printed.out, printed.err)

    return run


@pytest.fixture(scope="module")
def sample() -> tuple[Log, int]:
    log = Log()
    log.add_partner()
    index = log.append_stated()
    log.fill(300)
    return log, index


@pytest.fixture
def receipt(sample: tuple[Log, int], tmp_path: Path) -> Path:
    log, index = sample
    data = receipt_of(
        index, log.entries, SIGNER, WITNESS, statement=log.statements[index], salt=SALT
    )
    path = tmp_path / "call.padan-receipt"
    path.write_bytes(data)
    return path


@pytest.fixture
def directory(sample: tuple[Log, int], tmp_path: Path) -> Path:
    return write(tmp_path / "log", sample[0].entries, SIGNER, WITNESS)


def test_receipt_that_holds_is_reported_without_the_person(padan: Command, receipt: Path) -> None:
    run = padan(receipt, "--witness", WITNESS.vkey)

    assert run.code == 0
    for text in (LOG, "ANSWER", "MATCHED", "ACCOUNT_OPENING", "w.test", "2026-11-24T05:00:00"):
        assert text in run.out
    assert "3171014501900001" not in run.out
    assert run.err == ""


def test_receipt_is_reported_as_json(padan: Command, receipt: Path) -> None:
    run = padan(receipt, "--json", "--witness", WITNESS.vkey)

    assert run.json["proved"] is True
    assert (run.json["index"], run.json["tree_size"], run.json["statement"]) == (3, 300, True)
    assert run.json["witnesses"][0]["witness"] == "w.test"
    assert "3171014501900001" not in run.out


def test_key_can_come_from_the_environment(
    receipt: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PADAN_LOG_KEY", SIGNER.vkey)
    monkeypatch.setattr(sys, "argv", ["padan", "receipt", "verify", str(receipt)])
    with pytest.raises(SystemExit) as exited:
        cli.main()

    assert exited.value.code == 0
    assert "Proved" in capsys.readouterr().out


def test_each_fault_of_a_receipt_has_its_exit_code(
    padan: Command, receipt: Path, sample: tuple[Log, int], tmp_path: Path
) -> None:
    log, index = sample
    value = json.loads(receipt.read_text("utf-8"))

    def written(**fields: str) -> Path:
        path = tmp_path / "changed"
        text = json.dumps(value | fields, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        path.write_text(text, "utf-8")
        return path

    assert padan(tmp_path / "missing").code == 10
    assert padan(written(novelty="x")).code == 10
    assert padan(receipt, key=Signer(LOG, 9).vkey).code == 11
    assert padan(receipt, "--witness", OTHER.vkey).code == 12
    assert padan(receipt, "--witness", OTHER.vkey, "--witness", WITNESS.vkey).code == 12
    quorum = ("--witness", OTHER.vkey, "--witness", WITNESS.vkey, "--quorum", "1")
    assert padan(receipt, *quorum).code == 0
    assert padan(written(entry=log.entries[index + 1].decode())).code == 13
    assert padan(written(statement=value["statement"].replace("token", "other"))).code == 15
    misplaced = list(log.entries)
    misplaced[index] = changed(misplaced[index], index=9)
    (tmp_path / "misplaced").write_bytes(receipt_of(index, misplaced, SIGNER))
    assert padan(tmp_path / "misplaced").code == 16


def test_statement_can_be_demanded(padan: Command, sample: tuple[Log, int], tmp_path: Path) -> None:
    path = tmp_path / "without"
    path.write_bytes(receipt_of(5, sample[0].entries, SIGNER))

    assert padan(path).code == 0
    run = padan(path, "--require-statement")
    assert run.code == 15
    assert "holds no statement" in run.err


def test_receipt_is_compared_with_a_checkpoint(
    padan: Command, receipt: Path, sample: tuple[Log, int], tmp_path: Path
) -> None:
    leaves = [leaf(data) for data in sample[0].entries]
    against = tmp_path / "checkpoint"
    codes = []
    for other in (leaves, leaves[:299], [*leaves[:299], bytes(32)]):
        against.write_bytes(checkpoint(LOG, other, SIGNER))
        codes.append(padan(receipt, "--against", against).code)
    against.write_bytes(checkpoint(LOG, leaves, Signer(LOG, 9)))
    codes.append(padan(receipt, "--against", against).code)

    assert codes == [0, 21, 14, 11]


def test_failure_is_one_line_or_one_object(padan: Command, receipt: Path) -> None:
    key = Signer(LOG, 9).vkey

    assert padan(receipt, key=key).err == (
        f"Not proved: the checkpoint in the receipt: is not signed by the key of {LOG}\n"
    )
    run = padan(receipt, "--json", key=key)
    assert run.code == 11
    assert run.json["proved"] is False
    assert run.json["error"]["type"] == "SignatureInvalid"


@pytest.mark.parametrize(
    "arguments", [["--quorum", "1"], ["--witness", "x"], ["--witness", SIGNER.vkey]]
)
def test_keys_that_make_no_sense_are_wrong_usage(
    padan: Command, padan_verify: Command, receipt: Path, directory: Path, arguments: list[str]
) -> None:
    assert padan(receipt, *arguments).code == 2
    assert padan_verify(directory, *arguments).code == 2
    assert padan(receipt, key="no key").code == 2


def test_log_that_holds_is_reported_on_a_page(padan_verify: Command, directory: Path) -> None:
    run = padan_verify(directory, "--witness", WITNESS.vkey)

    assert (run.code, run.err) == (0, "")
    for text in ("Verified", LOG, "300", "297 ANSWER, 3 CONTROL", "w.test", "297000 rupiah"):
        assert text in run.out
    assert len(run.out.splitlines()) < 20


def test_log_is_reported_as_json(padan_verify: Command, directory: Path) -> None:
    value = padan_verify(directory, "--json").json

    assert value["verified"] is True
    assert (value["size"], value["charges"], value["findings"]) == (300, 297, [])


def test_findings_are_listed_and_set_the_exit_code(padan_verify: Command, directory: Path) -> None:
    tile = directory / "tile/0/000"
    tile.write_bytes(tile.read_bytes()[:-1] + b"\0")
    run = padan_verify(directory)

    assert run.code == 13
    assert "Not verified: 1 findings" in run.out
    assert "- tree: tile/0/000: differs from what is below it" in run.out
    assert padan_verify(directory, "--json").json["findings"][0]["where"] == "tile/0/000"


def test_faults_before_the_log_is_read_have_their_exit_codes(
    padan_verify: Command, directory: Path, tmp_path: Path
) -> None:
    assert padan_verify(tmp_path / "nowhere").code == 10
    assert padan_verify(directory, key=Signer(LOG, 9).vkey).code == 11
    assert padan_verify(directory, "--witness", OTHER.vkey).code == 12
    assert padan_verify(directory, "--kept", tmp_path / "nowhere").code == 10


def test_checkpoint_is_kept_and_held_against_the_log_later(
    padan_verify: Command, directory: Path, sample: tuple[Log, int], receipt: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    assert padan_verify(directory, "--keep", kept).code == 0
    assert kept.read_bytes() == (directory / "checkpoint").read_bytes()

    assert padan_verify(directory, "--kept", kept, "--kept", receipt, "--keep", kept).code == 0

    write(tmp_path / "shorter", sample[0].entries[:299], SIGNER)
    run = padan_verify(tmp_path / "shorter", "--kept", kept, "--keep", kept)
    assert run.code == 14
    assert kept.read_bytes() == (directory / "checkpoint").read_bytes()
    assert [path.name for path in tmp_path.glob(".kept*")] == []


def test_checkpoint_that_cannot_be_written_is_told(padan_verify: Command, directory: Path) -> None:
    run = padan_verify(directory, "--keep", directory / "none" / "kept")

    assert run.code == 2
    assert "cannot write" in run.err


def test_audit_without_its_extra_says_how_to_install_it(
    padan_verify: Command, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "padan_client.verify.audit", raising=False)
    for name in ("rules", "agreements", "typed_entry"):
        monkeypatch.delitem(sys.modules, f"padan_client.verify.{name}", raising=False)
    monkeypatch.setitem(sys.modules, "msgspec", None)
    run = padan_verify(directory)

    assert run.code == 2
    assert "padan-client[verify]" in run.err


def test_receipts_need_no_extra(
    padan: Command, receipt: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith("padan_client.verify")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "msgspec", None)

    import padan_client.verify

    assert "msgspec" not in vars(padan_client.verify)
    assert padan(receipt).code == 0


def test_fault_of_its_own_is_no_finding(
    padan_verify: Command, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> NoReturn:
        raise RuntimeError("quotes an entry")

    monkeypatch.setattr(cli_audit, "LogDirectory", fail)
    run = padan_verify(directory)

    assert run.code == 4
    assert run.err == "padan-verify: internal fault: RuntimeError\n"
