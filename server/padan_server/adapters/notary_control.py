"""Control actions from the command line: one connection to the notary, one action, one answer."""

from __future__ import annotations

import socket

from padan_server.domain.control import Action, ControlRefused
from padan_server.link import (
    Control,
    Controlled,
    Frames,
    FromNotary,
    Policy,
    Poll,
    ToNotary,
    decode_from_notary,
    frame,
)

TIMEOUT_SECONDS = 10.0


class NotaryUnreachable(Exception):
    """No notary listens at the socket, or it did not answer in time."""


def control(path: str, action: Action) -> Controlled:
    """Have an action applied and recorded. Raises ControlRefused or NotaryUnreachable."""
    answer = _ask(path, Control(action))
    if not isinstance(answer, Controlled):
        raise NotaryUnreachable("the notary answered something else")
    if answer.index < 0:
        raise ControlRefused(answer.error)
    return answer


def policy(path: str) -> Policy:
    """Give all partners' state. Raises NotaryUnreachable."""
    answer = _ask(path, Poll(0))
    if not isinstance(answer, Policy):
        raise NotaryUnreachable("the notary answered something else")
    return answer


def _ask(path: str, message: ToNotary) -> FromNotary:
    try:
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(TIMEOUT_SECONDS)
            link.connect(path)
            link.sendall(frame(message))
            frames = Frames()
            while data := link.recv(262_144):
                for body in frames.feed(data):
                    answer: FromNotary = decode_from_notary(body)
                    return answer
    except OSError as error:
        raise NotaryUnreachable(f"no notary answers at {path}: is the server running?") from error
    raise NotaryUnreachable("the notary closed the link without an answer")
