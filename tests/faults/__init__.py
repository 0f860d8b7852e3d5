"""node-prep killed for real at every moment of its work, and what is left when it comes back."""
