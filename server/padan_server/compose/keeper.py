"""The keeper of a registry whose primary is ours: its heartbeat, watermarks, tallies and feed."""

from __future__ import annotations

import asyncio

from padan_server.adapters.keeper_postgres import beat
from padan_server.adapters.tally_postgres import tally
from padan_server.compose.process import stopping
from padan_server.config import Settings


async def run_keeper(settings: Settings) -> None:
    """Keep the registry until SIGTERM or SIGINT."""
    assert settings.registry_url is not None, "the supervisor starts this only with a registry"
    stop = stopping()
    # Each on a session of its own: a long fold must not hold up the heartbeat.
    await asyncio.gather(
        beat(settings.registry_url, stop=stop), tally(settings.registry_url, stop=stop)
    )
