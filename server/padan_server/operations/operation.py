"""What the pipeline asks of a method."""

from __future__ import annotations

from typing import Protocol, TypeVar

from padan_server.domain.agreement import Grant
from padan_server.domain.call import Call
from padan_server.domain.caller import Caller
from padan_server.domain.claims import Method, Query
from padan_server.domain.outcome import Judgement
from padan_server.operations.drafts import Drafted

Q = TypeVar("Q", bound=Query, contravariant=True)


class Operation(Protocol[Q]):
    """One method, between authorization and commit."""

    method: Method

    def elements(self, query: Q) -> tuple[str, ...]:
        """Name the elements that the agreement must grant."""
        ...

    async def act(self, query: Q, grant: Grant) -> Judgement:
        """Find and judge. Raises Refusal."""
        ...

    def draft(
        self, call: Call, caller: Caller, grant: Grant, query: Q, judgement: Judgement
    ) -> Drafted:
        """Draft the entry of the answer."""
        ...

    def replay(
        self, partner: str, query: Q, judgement: Judgement, sealed: bytes
    ) -> tuple[Judgement, str, bytes]:
        """Give what a bound request_id answers: judgement, subject token, statement salt.

        `judgement` is the one just made, `sealed` what the first answer left.
        """
        ...
