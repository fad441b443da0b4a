"""The proto build: fresh stubs without rules, and a descriptor set with them, in one process."""

import re
import subprocess
from pathlib import Path

import protovalidate
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from padan.v1 import verification_pb2
from scripts import protos
from tests.tidy import repository

IMAGE = repository.ROOT / protos.IMAGE


CONTRACT = """syntax = "proto3";
package padan.v1;
// A thing.
message Thing {
  // Its name.
  string name = 1;
}
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone with a contract of one message, generated and committed."""
    (tmp_path / protos.SOURCES / protos.PACKAGE).mkdir(parents=True)
    (tmp_path / "buf.yaml").write_bytes((repository.ROOT / "buf.yaml").read_bytes())
    subprocess.run(["git", "init", "-q", "-b", "main"], cwd=tmp_path, check=True)
    write_contract(tmp_path, CONTRACT)
    assert protos.main(["write", "--root", str(tmp_path)]) == 0
    commit(tmp_path)
    return tmp_path


def compiled(clone: Path) -> bytes:
    scratch = clone / "scratch"
    scratch.mkdir()
    return protos.compile_sources(clone, scratch).image


def write_contract(clone: Path, text: str) -> None:
    (clone / protos.SOURCES / protos.PACKAGE / "thing.proto").write_text(text, encoding="utf-8")


def commit(clone: Path) -> None:
    subprocess.run(["git", "add", "-A"], cwd=clone, check=True)
    author = ("-c", "user.name=tidy", "-c", "user.email=tidy@example.test")
    subprocess.run(["git", *author, "commit", "-q", "-m", "contract"], cwd=clone, check=True)


@pytest.fixture
def pool() -> descriptor_pool.DescriptorPool:
    """The annotated contract, in a pool of its own."""
    private = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(IMAGE.read_bytes()).file:
        private.Add(file)
    return private


def test_committed_stubs_and_descriptors_are_fresh(capfd: pytest.CaptureFixture[str]) -> None:
    assert protos.main(["fresh"]) == 0, capfd.readouterr().err


def test_stale_stub_is_named(clone: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_contract(clone, CONTRACT.replace("Its name", "What it is called"))

    assert protos.main(["fresh", "--root", str(clone)]) == 1
    assert "thing_pb2.pyi" in capfd.readouterr().err


def test_element_without_a_comment_is_refused(
    clone: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_contract(clone, CONTRACT.replace("// Its name.", ""))

    assert protos.main(["lint", "--root", str(clone)]) == 1
    assert 'Field "name" should have a non-empty comment' in capfd.readouterr().out


def test_contract_that_breaks_partners_is_refused_before_anything_is_written(
    clone: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = protos.generated_files(clone)
    write_contract(clone, CONTRACT.replace("string name = 1", "int32 name = 1"))

    assert protos.main(["write", "--root", str(clone)]) == 1
    assert 'changed type from "string" to "int32"' in capfd.readouterr().out
    assert protos.generated_files(clone) == before


def test_break_is_still_found_after_it_was_committed(clone: Path) -> None:
    write_contract(clone, CONTRACT.replace("string name = 1", "int32 name = 1"))
    (clone / protos.IMAGE).write_bytes(compiled(clone))
    commit(clone)

    assert protos.main(["breaking", "--root", str(clone)]) == 1


def test_addition_is_compatible_and_a_first_contract_has_nothing_to_break(
    clone: Path, tmp_path_factory: pytest.TempPathFactory, capfd: pytest.CaptureFixture[str]
) -> None:
    write_contract(clone, CONTRACT.replace("}", "  // Its size.\n  int32 size = 2;\n}"))
    assert protos.main(["breaking", "--root", str(clone)]) == 0

    first = tmp_path_factory.mktemp("first")
    (first / protos.SOURCES / protos.PACKAGE).mkdir(parents=True)
    write_contract(first, CONTRACT)
    assert protos.main(["breaking", "--root", str(first)]) == 0
    assert "nothing that this one could break" in capfd.readouterr().out


def test_stubs_hold_no_rules_and_keep_the_comments() -> None:
    proto = (repository.ROOT / protos.SOURCES / protos.PACKAGE / "verification.proto").read_text()
    stub = (repository.ROOT / protos.STUBS / protos.PACKAGE / "verification_pb2.pyi").read_text()
    comment = re.search(r"// (.+)\nmessage VerifyRequest ", proto)

    assert comment
    assert comment[1] in stub
    assert b"buf.validate" not in verification_pb2.DESCRIPTOR.serialized_pb


def test_rules_hold_in_a_private_pool_beside_the_stubs(
    pool: descriptor_pool.DescriptorPool,
) -> None:
    descriptor = pool.FindMessageTypeByName("padan.v1.VerifyRequest")
    annotated = message_factory.GetMessageClass(descriptor)
    request = verification_pb2.VerifyRequest(nik="not a nik")

    violations = protovalidate.Validator().collect_violations(
        annotated.FromString(request.SerializeToString())
    )

    fields = {
        element.field_name
        for violation in violations
        if violation.proto.field
        for element in violation.proto.field.elements
    }
    assert {"nik", "claims"} <= fields
    assert not protovalidate.collect_violations(request), "the public stubs carry rules"
