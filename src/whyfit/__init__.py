"""whyfit: why your neural network fits like that, proven, and the smallest change that mends it."""

from whyfit._version import __version__

__all__ = ["__version__"]
