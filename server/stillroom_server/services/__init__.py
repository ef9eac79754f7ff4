"""Use cases, and the ports (Protocols) that they need. No framework, driver or library here."""
