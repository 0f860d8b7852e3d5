"""The bus: what it can be asked (port) and how NATS does it (nats)."""
