"""The slicewire command, and the library for programs that ask or listen."""

from slicewire.client.library import Client, SaidNo, connect

__all__ = ["Client", "SaidNo", "connect"]
