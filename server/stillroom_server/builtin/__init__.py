"""The default plugins, registered by the same entry points as yours."""
