"""A control action as a batch of its own: what comes after it is judged by it."""

from __future__ import annotations

from typing import Any

import msgspec

from padan_server.domain import canonical
from padan_server.domain.agreement import Partner
from padan_server.domain.control import Action, ControlRefused, apply
from padan_server.domain.draft import Kind
from padan_server.domain.ledger import Write
from padan_server.notary.entries import Entries
from padan_server.notary.ports import Entropy, SubjectKeys
from padan_server.notary.state import State

CONTROL_BYTES_MAX = 32 * 1024
"""Longest action: its entry must fit a bundle (ENTRY_BYTES_MAX)."""


def build_control(
    state: State, action: Action, *, time: int, keys: SubjectKeys, entropy: Entropy
) -> tuple[Write, Partner, int]:
    """Apply an action; give what it writes, the partner's state after it, and its entry's index.

    Raises ControlRefused.
    """
    partner, recorded = apply(
        state.partners.get(action.partner), action, changed=state.policy_version + 1
    )
    document = control_document(recorded)
    if len(document) > CONTROL_BYTES_MAX:
        raise ControlRefused("the action is too long to be recorded")
    entries = Entries(state, time=time, keys=keys, entropy=entropy)
    index = entries.add_control(
        kind=Kind.CONTROL,
        partner=partner.partner,
        # Ids that rise with time keep their index small, as the workers' do.
        draft_id=(time // 1000).to_bytes(6, "big") + entropy(10),
        control=document,
    )
    return entries.write(bound=[], charged=[], partner=partner), partner, index


def control_document(action: Action) -> bytes:
    """Write an action as canonical JSON: dates as text, sets sorted, absent what is not set."""
    document = _present(msgspec.to_builtins(action, order="sorted"))
    assert isinstance(document, dict)
    return canonical.dumps(document)


def _present(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _present(item) for name, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_present(item) for item in value]
    return value
