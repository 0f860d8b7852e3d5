"""Make allocated devices usable in the container; never decides who gets what."""
