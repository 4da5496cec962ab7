"""Kernels of one column: counting it, fitting its modes, encoding it by them and back."""
