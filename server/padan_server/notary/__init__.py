"""The notary: the one process that writes the ledger, in batches, each in one transaction."""
