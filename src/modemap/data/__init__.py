"""Rows on their way in: sources, batches, the data contract, the split."""
