"""Who must look at what, and which tasks that makes."""
