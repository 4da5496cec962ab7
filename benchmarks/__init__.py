"""The bars that the project holds itself to, measured."""
