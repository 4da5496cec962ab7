"""The stages of dvc.yaml, one module each; ``python -m modemap.stages.NAME`` runs one."""
