"""Values and pure rules. Nothing here does I/O or knows a library beyond `packaging`."""
