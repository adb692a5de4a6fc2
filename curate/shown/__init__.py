"""What was put before people, and since when: an append-only record, joined to answers by key."""
