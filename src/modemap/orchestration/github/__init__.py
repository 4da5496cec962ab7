"""The steps of the workflows that talk to GitHub, for a Python without any package.

``make github-NAME`` runs ``python -m modemap.orchestration.github.NAME``: trigger, store, comment,
propose. Each reads the variables that GitHub sets, so it runs on any machine that sets them too.
"""
