"""`python -m whyfit`."""

from whyfit.cli import main

main()
