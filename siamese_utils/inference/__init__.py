"""A trained model at work on images of one's own."""
