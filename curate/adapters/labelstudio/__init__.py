"""Label Studio: the embedded server, and the adapter that fills and reads a labelling project."""
