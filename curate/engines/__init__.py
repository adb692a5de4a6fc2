"""Engines that map a function over many items."""
