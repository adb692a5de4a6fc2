"""All pairs of hashes within a Hamming distance, exact: in this process, or in shards on an engine."""
