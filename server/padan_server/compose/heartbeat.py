"""The heartbeat of a registry that this server keeps."""

from __future__ import annotations

from padan_server.adapters.heartbeat_postgres import beat
from padan_server.compose.process import stopping
from padan_server.config import Settings

HEARTBEAT_SECONDS = 0.2


async def run_heartbeat(settings: Settings) -> None:
    """Keep the registry's heartbeat until SIGTERM or SIGINT."""
    assert settings.registry_url is not None, "the supervisor starts this only with a registry"
    await beat(settings.registry_url, HEARTBEAT_SECONDS, stop=stopping())
