"""`python -m siamese_utils`, the same as `siamese`."""

from .cli import main

main()
