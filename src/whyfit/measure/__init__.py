"""Measurements: pure functions, arrays in, small records out. Nothing here says "bad"."""
