"""`python -m siamese_utils.cli`, the same as `siamese`."""

from . import main

main()
