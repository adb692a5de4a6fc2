"""The nine stages; each one `run(params, *, inputs, outputs, ports) -> StageReport`."""
