"""From what was seen of a node to what is told of it. Pure."""
