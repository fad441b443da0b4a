"""Runs the command line: `python -m padan_server`."""

from padan_server.cli import main

main()
