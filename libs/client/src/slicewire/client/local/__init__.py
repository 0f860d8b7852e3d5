"""The whole system on this machine: what `slicewire up` starts."""
