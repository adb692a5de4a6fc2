"""The plugin of the app. Installed, `operators.py` is its `__init__.py`, as FiftyOne wants it."""
