"""Beyond the paper: the losses that its Section 5 and its related work name, and what a laptop can learn with them."""
