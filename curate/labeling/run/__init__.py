"""A run of the models over many images: shards, batches, what is kept and used again, failures."""
