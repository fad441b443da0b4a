"""Logging: one JSON object per line on standard error, without personal data.

Log calls name what happened and types of errors, never messages of drivers nor values of requests.
What Python would print by itself (errors that nobody catches, warnings) is logged the same way.
"""

from __future__ import annotations

import logging
import sys
import threading
import warnings
from types import TracebackType
from typing import TextIO

import structlog

CAUSES_MAX = 10
"""Exceptions told of one chain: more say nothing new, and a chain can go in a circle."""


def configure(process: str) -> None:
    """Set up logging for a process; `process` stands in each line."""

    def name_process(
        _logger: object, _name: str, event: structlog.typing.EventDict
    ) -> structlog.typing.EventDict:
        event["process"] = process
        return event

    structlog.configure(
        processors=[
            name_process,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _without_messages,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        # Processes share one standard error: a line must be one write.
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    # Libraries log through `logging`: their records could hold parameters, so only types go out.
    logging.basicConfig(handlers=[_TypesOnly()], level=logging.WARNING, force=True)
    sys.excepthook = _uncaught
    sys.unraisablehook = _unraisable
    threading.excepthook = _uncaught_in_thread
    warnings.showwarning = _warned


def _without_messages(
    _logger: object, _name: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Replace an exception by its types and places: its messages may hold values."""
    given = event.pop("exc_info", None)
    if given:
        if isinstance(given, tuple):
            given = given[1]
        event["error"] = _chain(given if isinstance(given, BaseException) else sys.exc_info()[1])
    return event


def _chain(error: BaseException | None) -> list[str]:
    """Give the type and place of an exception and of those that caused it."""
    chain: list[str] = []
    while error is not None and len(chain) < CAUSES_MAX:
        place = error.__traceback__
        while place is not None and place.tb_next is not None:
            place = place.tb_next
        where = f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place else "?"
        chain.append(f"{type(error).__name__} at {where}")
        error = error.__cause__ or error.__context__
    return chain


def _uncaught(
    _kind: type[BaseException], error: BaseException, _traceback: TracebackType | None
) -> None:
    structlog.get_logger().critical("an error ended the process", error=_chain(error))


def _uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_type is not SystemExit:
        structlog.get_logger().error("an error ended a thread", error=_chain(args.exc_value))


def _unraisable(args: sys.UnraisableHookArgs) -> None:
    structlog.get_logger().error("an error could not be raised", error=_chain(args.exc_value))


def _warned(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    del message, file, line
    place = f"{filename}:{lineno}"
    structlog.get_logger().warning("python warned", kind=category.__name__, place=place)


class _TypesOnly(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        error = _chain(record.exc_info[1]) if record.exc_info else None
        structlog.get_logger().warning(
            "a library logged", library=record.name, place=record.funcName, error=error
        )
