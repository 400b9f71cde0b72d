"""Notebooks, figures and tables, and the HTML report made of them."""
