"""The class of a peer's network, as entries tell it."""

from __future__ import annotations

import pytest

from padan_server.domain.call import network_class


@pytest.mark.parametrize(
    ("peer", "network"),
    [
        ("127.0.0.1", "LOOPBACK"),
        ("127.8.9.10", "LOOPBACK"),
        ("::1", "LOOPBACK"),
        ("10.1.2.3", "PRIVATE"),
        ("172.16.0.1", "PRIVATE"),
        ("192.168.1.1", "PRIVATE"),
        ("fd00::1", "PRIVATE"),
        ("fe80::1", "PRIVATE"),
        ("172.32.0.1", "PUBLIC"),
        ("11.1.2.3", "PUBLIC"),
        ("2400::1", "PUBLIC"),
        # A listener of both families shows callers of version 4 in this form.
        ("::ffff:127.0.0.1", "LOOPBACK"),
        ("::ffff:10.1.2.3", "PRIVATE"),
        ("::ffff:11.1.2.3", "PUBLIC"),
        ("unix", "LOCAL"),
        ("", "UNKNOWN"),
        ("bank.example", "UNKNOWN"),
        ("10.1.2.3:50000", "UNKNOWN"),
    ],
)
def test_a_peers_network_is_one_of_five_classes(peer: str, network: str) -> None:
    assert network_class(peer) == network
