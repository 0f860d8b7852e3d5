"""Which devices for this claim? Decides on a snapshot, commits to the ledger; touches no API and no GPU."""
