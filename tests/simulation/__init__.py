"""A seeded world in which everything that may go wrong does: `python -m simulation --seeds 2000`."""
