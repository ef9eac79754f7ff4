"""The composition root: settings, the data folder, the engine, and who gets which adapter."""
