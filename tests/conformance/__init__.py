"""One suite per port, run on every implementation that production uses."""
