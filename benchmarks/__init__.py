"""`make bench`: Padan beside a bare gRPC echo on the same core (docs/benchmarks.md)."""
