"""The contract of Padan; `padan.v1` holds its first version. Nothing else lives here."""
