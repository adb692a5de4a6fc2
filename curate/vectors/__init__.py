"""What unit vectors say of each other: neighbors, figures of an image among the others, a map."""
