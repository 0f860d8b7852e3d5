"""The slicewire command, and the library for programs that ask or listen."""

from slicewire.client.library import Client, SaidNo, connect
from slicewire.client.listening import Gone
from slicewire.common.bus.port import CaughtUp

__all__ = ["CaughtUp", "Client", "Gone", "SaidNo", "connect"]
