"""The Stillroom server: a private Python package index for teams.

The packages are the layers, from the inside out: `domain` (values and pure rules), `services`
(use cases and the ports they need), `storage`, `upstream`, `archives` and `plugin` (adapters),
`builtin` (the default plugins), `web` (HTTP), `app` and `cli` (composition).
"""
