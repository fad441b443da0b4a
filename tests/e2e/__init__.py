"""Tests of the whole service, through the SDK and the command line."""
