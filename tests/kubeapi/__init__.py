"""A small but true Kubernetes API server, for component tests and the demo.

Import from its modules: `server.serving` runs it, `store.Store` is its memory, `faults` breaks it,
`controllers` does around claims what a cluster does.
"""
