"""A type for each kind of name, so that a pool is never passed where a node is meant."""

from typing import NewType

NodeName = NewType("NodeName", str)
DriverName = NewType("DriverName", str)
PoolName = NewType("PoolName", str)
DeviceName = NewType("DeviceName", str)
ClaimUID = NewType("ClaimUID", str)
ClaimName = NewType("ClaimName", str)
Namespace = NewType("Namespace", str)
RequestName = NewType("RequestName", str)
"""`request`, or `request/subrequest` once an alternative was chosen."""
TraceParent = NewType("TraceParent", str)
"""W3C trace context, `00-<trace id>-<span id>-<flags>`; empty when nothing is traced."""
