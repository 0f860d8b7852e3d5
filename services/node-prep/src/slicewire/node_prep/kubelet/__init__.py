"""The door to gRPC: what the kubelet asks of a DRA driver on its node, on two unix sockets.

It makes itself known (`pluginregistration`), passes the kubelet's claims on, each on its own (an error
of one is never an error of the call), and says how the devices fare. Rules that the kubelet enforces
are noted where kept.
"""

from slicewire.node_prep.kubelet.claims import Preparer
from slicewire.node_prep.kubelet.places import Sockets, sockets
from slicewire.node_prep.kubelet.server import Asked, serving

__all__ = ["Asked", "Preparer", "Sockets", "serving", "sockets"]
