"""The demonstration: the whole service on one machine, shown at work through the SDK."""
