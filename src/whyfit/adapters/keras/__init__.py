"""Keras 3, any backend."""
