"""HTTP: routes, views, and how pages are served."""
