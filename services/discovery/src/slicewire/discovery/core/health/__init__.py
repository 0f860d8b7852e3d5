"""How the GPUs fare: what is found wrong with them, until they are well again. Pure."""
