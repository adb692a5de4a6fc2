"""How much annotators agree, and what they agree on."""
