"""The allocator without a bus or a cluster: cases in, answers out."""
