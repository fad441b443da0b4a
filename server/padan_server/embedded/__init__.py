"""Servers from wheels and a synthetic population: what a demo, a test or a first look needs.

Nothing here serves partners, and every person here is made up.
"""
