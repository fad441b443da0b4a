"""The worker's copy of the partners' state, kept by polls over the link to the notary.

The copy only refuses early: the notary judges every answer by the state at its position in the log.
"""

from __future__ import annotations

from collections.abc import Callable

from padan_server.domain.agreement import Partner
from padan_server.domain.refusal import Reason, Refusal
from padan_server.link import Policy

AGE_SECONDS_MAX = 1.0
"""Oldest copy by which a call may be allowed; polls come four times as often."""


class LinkedPolicy:
    """Holds every partner's state by id. `monotonic` gives seconds."""

    def __init__(self, *, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._partners: dict[str, Partner] = {}
        self._version = 0
        self._told_at = float("-inf")
        self._log = ""

    @property
    def log(self) -> str:
        """The origin of the log that entries go to."""
        return self._log

    @property
    def fresh(self) -> bool:
        """Whether the copy is young enough to allow calls by."""
        return self._monotonic() - self._told_at <= AGE_SECONDS_MAX

    def known(self) -> int:
        """Give the version that the copy has reached."""
        return self._version

    def take(self, told: Policy) -> None:
        """Take the notary's answer to a poll."""
        for partner in told.partners:
            self._partners[partner.partner] = partner
        self._version = told.version
        self._log = told.log
        self._told_at = self._monotonic()

    def partner(self, partner: str) -> Partner | None:
        """Give a partner's state; see ports.Policy."""
        if self._monotonic() - self._told_at > AGE_SECONDS_MAX:
            raise Refusal(
                Reason.POLICY_UNAVAILABLE,
                "the state of agreements is not known",
                retry_after_seconds=0.5,
            )
        return self._partners.get(partner)
