"""Logs of a real process: JSON lines that never hold a message of an error or of a library."""

from __future__ import annotations

import json
import subprocess
import sys
from textwrap import dedent
from typing import Any

SECRET = "3171015203909001"


def run(program: str) -> subprocess.CompletedProcess[str]:
    """Run a program that has set up its logging, in a process of its own."""
    lines = f"""
        import asyncio, logging, sys, threading, warnings
        import structlog
        from padan_server import logs
        logs.configure("worker-0")
        log = structlog.get_logger()
        SECRET = {SECRET!r}
    """
    return subprocess.run(
        [sys.executable, "-c", dedent(lines) + dedent(program)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def logged(program: str) -> list[dict[str, Any]]:
    """Give the lines that a program logged; none may hold the secret."""
    done = run(program)
    assert SECRET not in done.stderr + done.stdout
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_a_line_is_json_with_event_level_time_and_process() -> None:
    (line,) = logged("log.info('serving', port=8443)")
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "serving", "level": "info", "port": 8443, "process": "worker-0"}


def test_an_exception_is_told_by_its_types_and_places_alone() -> None:
    (line,) = logged(
        """
        try:
            try:
                raise KeyError(SECRET)
            except KeyError as error:
                raise ValueError("of " + SECRET) from error
        except ValueError:
            log.exception("a call failed", method="VERIFY")
        """
    )
    assert (line["event"], line["method"], line["level"]) == ("a call failed", "VERIFY", "error")
    outer, inner = line["error"]
    assert outer.startswith("ValueError at <string>:")
    assert inner.startswith("KeyError at <string>:")


def test_an_exception_given_to_a_log_call_is_told_by_its_type_too() -> None:
    lines = logged(
        """
        try:
            raise ValueError(SECRET)
        except ValueError as error:
            kept = error
        log.error("failed", exc_info=kept)
        log.error("failed", exc_info=True)
        log.error("failed", exc_info=(type(kept), kept, kept.__traceback__))
        """
    )
    told = [[text.partition(" at ")[0] for text in line["error"]] for line in lines]
    assert told == [["ValueError"], [], ["ValueError"]]


def test_causes_that_go_in_a_circle_come_to_an_end() -> None:
    (line,) = logged(
        """
        import resource
        resource.setrlimit(resource.RLIMIT_AS, (2**29, 2**29))
        first, second = ValueError(SECRET), KeyError(SECRET)
        first.__cause__, second.__cause__ = second, first
        try:
            raise first
        except ValueError:
            log.exception("failed")
        """
    )
    assert "ValueError" in str(line["error"])


def test_a_librarys_record_is_told_by_its_name_and_error_type_alone() -> None:
    lines = logged(
        """
        library = logging.getLogger("driver")
        library.warning("a statement with %s", SECRET)
        try:
            raise ValueError(SECRET)
        except ValueError:
            library.exception(SECRET, extra={"value": SECRET})
        library.info(SECRET)
        """
    )
    assert [line["library"] for line in lines] == ["driver", "driver"]
    assert lines[0]["error"] is None
    assert "ValueError" in str(lines[1]["error"])


def test_a_record_that_cannot_be_formatted_prints_nothing_of_its_arguments() -> None:
    logged("logging.getLogger('driver').error('%d of %d', SECRET)")


def test_an_error_in_a_task_that_nobody_awaits_is_told_by_its_type() -> None:
    (line,) = logged(
        """
        async def main():
            async def fail():
                raise ValueError(SECRET)
            task = asyncio.create_task(fail())
            await asyncio.sleep(0.01)
            del task
        asyncio.run(main())
        """
    )
    assert line["library"] == "asyncio"
    assert "ValueError" in str(line["error"])


def test_an_error_that_ends_the_process_does_not_print_its_message() -> None:
    done = run("raise ValueError(SECRET)")
    assert done.returncode != 0
    assert "ValueError" in done.stderr
    assert SECRET not in done.stderr


def test_an_error_that_ends_a_thread_does_not_print_its_message() -> None:
    (line,) = logged(
        """
        def fail():
            raise ValueError(SECRET)
        for end in (fail, sys.exit):
            thread = threading.Thread(target=end)
            thread.start()
            thread.join()
        """
    )
    assert "ValueError" in str(line["error"])
    assert line["process"] == "worker-0"


def test_an_error_that_cannot_be_raised_does_not_print_its_message() -> None:
    (line,) = logged(
        """
        class Value:
            def __del__(self):
                raise ValueError(SECRET)
            def __repr__(self):
                return SECRET
        Value()
        """
    )
    assert "ValueError" in str(line["error"])


def test_a_warning_is_not_printed_with_its_text() -> None:
    (line,) = logged("warnings.warn(SECRET, RuntimeWarning, stacklevel=1)")
    assert line["kind"] == "RuntimeWarning"
    assert line["place"].startswith("<string>:")
