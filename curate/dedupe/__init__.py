"""Perceptual hashes, neighbors within a radius, groups and their keepers."""
