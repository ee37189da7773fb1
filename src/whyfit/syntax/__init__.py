"""A script's syntax tree: what a fit came from found in it, and edits that keep format and comments."""
