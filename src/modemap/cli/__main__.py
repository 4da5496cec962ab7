"""``python -m modemap.cli``: the command line without its script on the path."""

from modemap.cli import main

main()
