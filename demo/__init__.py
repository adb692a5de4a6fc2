"""What `make demo` needs: sample data, tiny trained models, simulated labelers."""
