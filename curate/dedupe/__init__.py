"""Perceptual hashes, neighbours within a radius, groups and their keepers."""
