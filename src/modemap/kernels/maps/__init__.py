"""Kernels of the map: the search for the nearest unit, and training sample by sample."""
