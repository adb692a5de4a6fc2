"""Tests; a package, because a library that brings a package of the same name would hide it."""
