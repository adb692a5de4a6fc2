"""Splits, the card, and the files of a release."""
