"""Training thousands of small dense networks at once, as the framework would."""
