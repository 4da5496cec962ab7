"""The search for better params: trials of Optuna, judged on validation rows, recorded in MLflow."""
