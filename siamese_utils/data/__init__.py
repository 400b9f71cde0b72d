"""Datasets of characters and the pairs that training draws from them."""
