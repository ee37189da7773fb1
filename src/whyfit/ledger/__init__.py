"""Keeping what was trained: one SQLite file that can be moved, listed, exported and cleared."""
