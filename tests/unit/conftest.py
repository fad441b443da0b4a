"""How properties are searched: the same examples each time, and no deadline."""

from hypothesis import settings

settings.register_profile("padan", deadline=None, derandomize=True, max_examples=100)
settings.load_profile("padan")
