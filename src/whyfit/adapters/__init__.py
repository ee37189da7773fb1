"""The border to the outside: scripts, frameworks, and the person's files."""
