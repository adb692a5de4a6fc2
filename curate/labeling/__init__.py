"""Categories, prompts, thresholds, and the suppression of boxes that say the same."""
