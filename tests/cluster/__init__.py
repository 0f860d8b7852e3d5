"""A real Kubernetes on this machine, without a container engine, to hold Slicewire against."""
