"""The gRPC side: servicers, conversion between proto and domain, status codes, the server."""
