"""Asks the Simple APIs of upstream indexes, over the network."""
