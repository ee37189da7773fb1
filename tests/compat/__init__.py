"""Old spellings of Keras."""
