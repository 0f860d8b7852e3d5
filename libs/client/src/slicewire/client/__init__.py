"""The slicewire command, and the library for programs that ask or listen."""
