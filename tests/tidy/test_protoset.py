"""The compiled contract that partners of other languages generate from."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.tidy.repository import ROOT

FILES = ("padan/v1/errors.proto", "padan/v1/record.proto", "padan/v1/verification.proto")


def test_stubs_come_from_the_protoset_alone(tmp_path: Path) -> None:
    protoset = ROOT / "protos" / "padan_v1.protoset"
    subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", f"--descriptor_set_in={protoset}",
         f"--python_out={tmp_path}", *FILES],
        check=True,
        cwd=tmp_path,
    )  # fmt: skip
    generated = "".join(path.read_text("utf-8") for path in tmp_path.rglob("*.py"))
    assert "VerifyRequest" in generated
    assert "buf.validate" not in generated
