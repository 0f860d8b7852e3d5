"""Which devices for this claim? Decides on a snapshot, commits to the ledger; never talks to Kubernetes or a GPU."""
