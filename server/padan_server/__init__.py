"""Padan: a verification service over a copy of the civil registry, with a ledger."""
