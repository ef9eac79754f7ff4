"""The client's own plugins, registered by entry points like any other."""
