"""What the pipeline asks of a method."""

from __future__ import annotations

from typing import Protocol, TypeVar

from padan_server.domain.agreement import Grant
from padan_server.domain.call import Call
from padan_server.domain.caller import Caller
from padan_server.domain.claims import AnyQuery, Method
from padan_server.operations.drafts import Drafted

Q = TypeVar("Q", bound=AnyQuery, contravariant=True)
J = TypeVar("J")


class Operation(Protocol[Q, J]):
    """One method, between authorization and commit; J is what it makes of a query."""

    method: Method

    def elements(self, query: Q) -> tuple[str, ...]:
        """Name the elements that the agreement must grant."""
        ...

    async def act(self, query: Q, grant: Grant) -> J:
        """Find and judge. Raises Refusal."""
        ...

    def draft(self, call: Call, caller: Caller, grant: Grant, query: Q, judgement: J) -> Drafted:
        """Draft the entry of the answer."""
        ...

    def replay(self, partner: str, query: Q, judgement: J, sealed: bytes) -> tuple[J, str, bytes]:
        """Give what a bound request_id answers: judgement, subject token, statement salt.

        `judgement` is the one just made, `sealed` what the first answer left.
        """
        ...
