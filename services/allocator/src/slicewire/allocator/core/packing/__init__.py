"""Where a claim goes when it would fit in several places: the order of devices on a node, and of nodes.

Refuses to say whether a claim fits: it orders what the search tries, and loses no answer.
"""
