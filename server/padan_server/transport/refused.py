"""Where refusals become statuses: the outermost step of every handler.

A plain wrapper does what a server interceptor would, without an interceptor's cost per call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn

import structlog

from padan_server.domain.refusal import Reason, Refusal
from padan_server.transport.status import status_of

Handler = Callable[[bytes, Any], Awaitable[bytes]]

log = structlog.get_logger()


def refusing(handler: Handler) -> Handler:
    """Give a handler that ends refused calls with the refusal's status, and hides all else."""

    async def handle(request: bytes, context: Any) -> bytes:
        try:
            return await handler(request, context)
        except Refusal as refusal:
            return await _abort(context, refusal)
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception("a handler failed")
            return await _abort(context, Refusal(Reason.INTERNAL, "a fault of the service"))

    return handle


async def _abort(context: Any, refusal: Refusal) -> NoReturn:
    code, text, metadata = status_of(refusal)
    await context.abort(code, text, metadata)
    raise AssertionError("abort raises")
