"""Boxes, masks, and the matching of one set of objects to another."""
