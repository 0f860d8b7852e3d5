"""What comes from outside is never trusted: bombs, forged names, planted files, and what must go on."""
