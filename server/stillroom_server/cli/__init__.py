"""The command line `stillroom-server`, one module per command."""
