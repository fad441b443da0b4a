"""The supervisor's port, which workers share, and its pauses; processes are tested in e2e."""

from __future__ import annotations

import socket

import pytest

from padan_server.supervisor import RESTART_SECONDS, pause_after, reserve_port


def test_a_free_port_stays_ours_and_workers_share_it() -> None:
    with reserve_port("127.0.0.1", 0) as holder:
        port = holder.getsockname()[1]
        with reserve_port("127.0.0.1", port) as worker:
            worker.listen()
            with socket.create_connection(("127.0.0.1", port), timeout=5):
                pass


def test_a_port_that_is_reserved_refuses_callers_until_a_worker_listens() -> None:
    with reserve_port("127.0.0.1", 0) as holder, pytest.raises(ConnectionRefusedError):
        socket.create_connection(holder.getsockname(), timeout=5)


def test_a_port_that_another_program_holds_is_refused() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as other,
        pytest.raises(OSError, match="in use"),
    ):
        reserve_port("127.0.0.1", other.getsockname()[1])


def test_a_port_at_which_another_service_of_the_same_kind_listens_is_refused() -> None:
    with reserve_port("127.0.0.1", 0) as other:
        other.listen()
        with pytest.raises(OSError, match="in use"):
            reserve_port("127.0.0.1", other.getsockname()[1])


def test_a_process_that_keeps_ending_early_is_started_ever_later() -> None:
    pauses = [pause_after(failures) for failures in range(len(RESTART_SECONDS) + 2)]
    assert pauses == [0.0, *RESTART_SECONDS, RESTART_SECONDS[-1]]
