"""How Sphinx builds the documentation: MyST Markdown, the furo theme, no network."""

import importlib.metadata

project = "Stillroom"
author = "The Stillroom developers"
project_copyright = "2026, The Stillroom developers"
release = importlib.metadata.version("stillroom")
version = release

extensions = ["myst_parser"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

exclude_patterns = ["_build"]
nitpicky = True

html_theme = "furo"
html_title = f"Stillroom {release}"
