"""The version of this SDK, as its distribution states it."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def sdk_version() -> str:
    """Give the installed version, or "unknown" when the source runs without installation."""
    try:
        return version("padan-client")
    except PackageNotFoundError:
        return "unknown"
