"""The proto build: from protos/padan/v1/*.proto to committed stubs and the server's descriptors.

Partners' stubs carry no validation annotations, since annotated and stripped descriptors cannot
load into one pool; the server validates against the annotated set in a pool of its own. Nothing
is fetched: buf/validate/validate.proto comes out of the installed protovalidate package.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.message import Message

ROOT = Path(__file__).resolve().parent.parent
SOURCES = "protos"
PACKAGE = "padan/v1"
STUBS = "protos/gen"
PUBLISHED = "protos/padan_v1.protoset"
IMAGE = "server/padan_server/transport/padan_v1.binpb"
VALIDATE = "buf/validate/validate.proto"
IMPORTS_FIELD = FileDescriptorProto.DESCRIPTOR.fields_by_name["dependency"].number
TOOLS = Path(sys.executable).parent
REMEDY = "run `make protos` and commit what it writes"


class ProtoBuildError(Exception):
    """A step of the proto build failed; the text says which and why."""


@dataclass(frozen=True, slots=True)
class Contract:
    """The compiled contract: as written, as partners see it, and as the server loads it."""

    source: FileDescriptorSet
    published: FileDescriptorSet
    image: bytes
    files: tuple[str, ...]


def run(arguments: Sequence[str | Path], *, root: Path) -> None:
    """Run one tool; its output passes through. Raises ProtoBuildError when it fails."""
    finished = subprocess.run([str(argument) for argument in arguments], cwd=root, check=False)
    if finished.returncode:
        raise ProtoBuildError(f"{Path(str(arguments[0])).name} failed ({finished.returncode})")


def protoc(*arguments: str | Path, root: Path) -> None:
    """Run the pinned protoc of grpcio-tools."""
    run([sys.executable, "-m", "grpc_tools.protoc", *arguments], root=root)


def validate_descriptors() -> bytes:
    """Return validate.proto and its imports, serialised, dependencies first."""
    from protobuf.wkt.google.protobuf import descriptor_pb
    from protovalidate._gen.buf.validate import validate_pb

    found: dict[str, descriptor_pb.FileDescriptorProto] = {}
    # Four imports, none of which imports another: two levels are the whole graph.
    for file in (*validate_pb.desc().dependencies, validate_pb.desc()):
        found[file.name] = file.proto
    return bytes(descriptor_pb.FileDescriptorSet(file=list(found.values())).to_binary())


def compile_sources(root: Path, scratch: Path) -> Contract:
    """Compile every file of the package. Raises ProtoBuildError when one does not compile."""
    sources = root / SOURCES
    files = tuple(sorted(str(p.relative_to(sources)) for p in (sources / PACKAGE).glob("*.proto")))
    if not files:
        raise ProtoBuildError(f"no proto files under {SOURCES}/{PACKAGE}")
    imports = scratch / "validate.binpb"
    imports.write_bytes(validate_descriptors())
    compiled = scratch / "source.binpb"
    protoc(
        f"--proto_path={sources}",
        f"--descriptor_set_in={imports}",
        "--include_imports",
        "--include_source_info",
        f"--descriptor_set_out={compiled}",
        *files,
        root=root,
    )
    source = FileDescriptorSet.FromString(compiled.read_bytes())
    return Contract(
        source=source,
        published=stripped(source),
        image=without_source_info(source).SerializeToString(deterministic=True),
        files=files,
    )


def stripped(source: FileDescriptorSet) -> FileDescriptorSet:
    """Return the set without validation rules and without their import; comments stay."""
    published = FileDescriptorSet()
    for file in source.file:
        if file.name == VALIDATE:
            continue
        if file.public_dependency or file.weak_dependency:
            raise ProtoBuildError(f"{file.name}: public and weak imports are not supported")
        copy = published.file.add()
        copy.CopyFrom(file)
        if not file.name.startswith(PACKAGE):
            continue
        for options_owner in owners_of_options(copy):
            drop_custom_options(options_owner)
        kept = [name for name in file.dependency if name != VALIDATE]
        del copy.dependency[:]
        copy.dependency.extend(kept)
        # Locations name imports by position, and positions have moved.
        locations = [at for at in file.source_code_info.location if at.path[:1] != [IMPORTS_FIELD]]
        del copy.source_code_info.location[:]
        copy.source_code_info.location.extend(locations)
    return published


def owners_of_options(message: Message) -> Iterator[Message]:
    """Yield every descriptor under `message` that has options set."""
    for field, value in message.ListFields():
        if field.message_type is None or field.name in ("options", "source_code_info"):
            continue
        for child in value if field.is_repeated else (value,):
            yield from owners_of_options(child)
    if any(field.name == "options" for field, _ in message.ListFields()):
        yield message


def drop_custom_options(owner: Message) -> None:
    """Remove options that google/protobuf/descriptor.proto does not define."""
    options: Message = owner.options  # type: ignore[attr-defined]
    options.DiscardUnknownFields()
    if not options.ListFields():
        owner.ClearField("options")


def without_source_info(source: FileDescriptorSet) -> FileDescriptorSet:
    """Return a copy without comments and positions: what a running server needs."""
    bare = FileDescriptorSet()
    bare.CopyFrom(source)
    for file in bare.file:
        file.ClearField("source_code_info")
    return bare


def generate(contract: Contract, *, root: Path, scratch: Path, target: Path) -> None:
    """Write stubs and image under `target`, laid out as in the repository."""
    published = scratch / "published.binpb"
    published.write_bytes(contract.published.SerializeToString(deterministic=True))
    stubs = target / STUBS
    stubs.mkdir(parents=True, exist_ok=True)
    protoc(
        f"--descriptor_set_in={published}",
        f"--plugin=protoc-gen-mypy={TOOLS / 'protoc-gen-mypy'}",
        f"--plugin=protoc-gen-mypy_grpc={TOOLS / 'protoc-gen-mypy_grpc'}",
        f"--python_out={stubs}",
        f"--grpc_python_out={stubs}",
        f"--mypy_out=quiet:{stubs}",
        f"--mypy_grpc_out=quiet:{stubs}",
        *contract.files,
        root=root,
    )
    # A file without a service gets a module with nothing in it but imports.
    for file in contract.published.file:
        if file.name in contract.files and not file.service:
            for suffix in (".py", ".pyi"):
                (stubs / f"{file.name.removesuffix('.proto')}_pb2_grpc{suffix}").unlink(True)
    (target / PUBLISHED).write_bytes(published.read_bytes())
    image = target / IMAGE
    image.parent.mkdir(parents=True, exist_ok=True)
    image.write_bytes(contract.image)


def generated_files(tree: Path) -> dict[str, bytes]:
    """Return what the proto build owns in a tree: path to content."""
    paths = [*(tree / STUBS / PACKAGE).glob("*_pb2*.py*"), tree / PUBLISHED, tree / IMAGE]
    return {str(p.relative_to(tree)): p.read_bytes() for p in sorted(paths) if p.is_file()}


def write(contract: Contract, *, root: Path, scratch: Path) -> None:
    """Regenerate the committed files, deleting those whose proto has gone."""
    fresh_tree = scratch / "fresh"
    generate(contract, root=root, scratch=scratch, target=fresh_tree)
    fresh, committed = generated_files(fresh_tree), generated_files(root)
    for path in sorted(committed.keys() - fresh.keys()):
        (root / path).unlink()
    for path, content in fresh.items():
        if committed.get(path) != content:
            destination = root / path
            destination.parent.mkdir(parents=True, exist_ok=True)
            destination.write_bytes(content)
    print(f"protos: {len(contract.files)} files, {len(fresh)} generated, {STUBS} and {IMAGE}")


def check_fresh(contract: Contract, *, root: Path, scratch: Path) -> None:
    """Raise ProtoBuildError naming every committed file that differs from a regeneration."""
    fresh_tree = scratch / "fresh"
    generate(contract, root=root, scratch=scratch, target=fresh_tree)
    fresh, committed = generated_files(fresh_tree), generated_files(root)
    stale = sorted(
        path for path in fresh.keys() | committed.keys() if fresh.get(path) != committed.get(path)
    )
    if stale:
        raise ProtoBuildError("stale: " + ", ".join(stale) + f"; {REMEDY}")
    print("protos: stubs and descriptor set are fresh")


def check_lint(contract: Contract, *, root: Path, scratch: Path) -> None:
    """Run buf lint with buf.yaml's rules over the compiled files, so that nothing is fetched."""
    image = scratch / "lint.binpb"
    image.write_bytes(contract.source.SerializeToString())
    run([TOOLS / "buf", "lint", image, "--config", "buf.yaml", "--path", PACKAGE], root=root)
    print("protos: buf lint is clean")


def git(*arguments: str, root: Path) -> bytes | None:
    """Return what git prints, or None when it fails or this is no clone."""
    if shutil.which("git") is None:
        return None
    finished = subprocess.run(["git", *arguments], cwd=root, capture_output=True, check=False)  # noqa: S607
    return finished.stdout if finished.returncode == 0 else None


def earlier_images(root: Path) -> dict[str, bytes]:
    """Return the committed images to stay compatible with: revision to content, none twice.

    They are the newest commit's, the one before the last change of the contract (so that the check
    also says something on main itself), and that of the point where this branch left main.
    """
    if git("rev-parse", "--show-toplevel", root=root) is None:
        return {}
    changes = git("log", "-2", "--format=%h", "--", IMAGE, root=root) or b""
    revisions = ["HEAD", *changes.decode().split()[1:]]
    for main in ("origin/main", "main"):
        if fork := git("merge-base", "HEAD", main, root=root):
            revisions.append(fork.decode().strip()[:12])
    found: dict[str, bytes] = {}
    for revision in revisions:
        image = git("show", f"{revision}:{IMAGE}", root=root)
        if image is not None and image not in found.values():
            found[revision] = image
    return found


def check_breaking(contract: Contract, *, root: Path, scratch: Path) -> None:
    """Run buf breaking against what was committed before; passes, and says so, when nothing was."""
    earlier = earlier_images(root)
    if not earlier:
        print("protos: no committed contract yet: nothing that this one could break")
        return
    current = scratch / "current.binpb"
    current.write_bytes(contract.source.SerializeToString())
    for number, (revision, image) in enumerate(earlier.items()):
        before = scratch / f"before-{number}.binpb"
        before.write_bytes(image)
        arguments = ("breaking", current, "--against", before, "--path", PACKAGE)
        configuration = ("--config", "buf.yaml", "--against-config", "buf.yaml")
        try:
            run([TOOLS / "buf", *arguments, *configuration], root=root)
        except ProtoBuildError as error:
            raise ProtoBuildError(f"the contract breaks partners of {revision}: {error}") from error
    print(f"protos: compatible with {', '.join(earlier)}")


Step = Callable[..., None]
COMMANDS: dict[str, tuple[Step, ...]] = {
    "write": (check_breaking, write),
    "check": (check_lint, check_breaking, check_fresh),
    "lint": (check_lint,),
    "breaking": (check_breaking,),
    "fresh": (check_fresh,),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 when it holds, 1 with a message when it does not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("--root", type=Path, default=ROOT, help="the repository to work on")
    options = parser.parse_args(arguments)
    root: Path = options.root.resolve()
    with tempfile.TemporaryDirectory(prefix="padan-protos-") as directory:
        scratch = Path(directory)
        try:
            contract = compile_sources(root, scratch)
            for step in COMMANDS[options.command]:
                step(contract, root=root, scratch=scratch)
        except ProtoBuildError as error:
            print(f"protos: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
