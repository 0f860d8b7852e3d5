"""The NVML door: what a node says of its GPUs. Two rooms behind it, one real and one simulated."""
