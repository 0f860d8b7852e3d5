"""The kubelet's wire messages. The `.proto` files are ours; `*_pb2.py` and `.pyi` are generated."""
