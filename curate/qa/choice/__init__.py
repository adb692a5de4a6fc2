"""Images chosen for labeling by weighted criteria: what each criterion says, and the greedy choice."""
