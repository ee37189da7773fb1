"""Changes placed in scripts: what they look like, and that they run."""
