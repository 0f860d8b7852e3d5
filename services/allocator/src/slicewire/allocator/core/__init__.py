"""Which devices for this claim: a pure decision over an immutable snapshot.

No I/O, no clock, no randomness in here; the same claims and the same snapshot give the same answer.
"""
