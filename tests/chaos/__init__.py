"""Tests that break things at random while callers call. `make chaos` is their long form."""
