"""The command line `padan-server`: every command of an operator."""

from padan_server.cli.app import main

__all__ = ["main"]
