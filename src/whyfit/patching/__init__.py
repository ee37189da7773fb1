"""Changes placed in the person's own script, and runs of what comes out."""
