"""Checks of the repository itself: locks, stubs, links, packaging. Nothing here starts a server."""
