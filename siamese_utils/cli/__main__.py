"""`python -m siamese_utils.cli`, the same as `siamese`."""

from .app import main

main()
