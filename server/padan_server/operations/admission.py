"""Admission: how many calls a worker takes at once."""

from __future__ import annotations

from padan_server.domain.refusal import Reason, Refusal


class Admission:
    """A bound on the calls that are under way; beyond it a call is refused at once, not queued.

    gRPC's own bound answers RESOURCE_EXHAUSTED, which callers would take for a spent budget.
    """

    __slots__ = ("_calls", "_calls_max")

    def __init__(self, *, calls_max: int) -> None:
        self._calls_max = calls_max
        self._calls = 0

    @property
    def empty(self) -> bool:
        """Whether no call is under way."""
        return self._calls == 0

    def __enter__(self) -> None:
        """Take a place for a call. Raises Refusal OVERLOADED."""
        if self._calls >= self._calls_max:
            raise Refusal(Reason.OVERLOADED, "the server is full", retry_after_seconds=0.5)
        self._calls += 1

    def __exit__(self, *_: object) -> None:
        """Give the place back."""
        self._calls -= 1
