"""The configuration of pip and uv: where it is, how it is changed, and how they log in."""
