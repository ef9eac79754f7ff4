"""The hook layer: what plugins may answer, and how they are asked."""
