"""A kubelet and a container runtime, as far as a DRA driver can tell them from real ones."""
