"""The outside world behind the Protocols of `curate.ports`; the only place that imports it."""
