"""What a person may do after a run."""

__all__ = ["NEXT_STEPS"]

NEXT_STEPS = (
    ("make ui", "look at the runs in Prefect and MLflow"),
    ("modemap status", "the champion, now or later"),
    ("dvc plots show", "the pictures of the training"),
    ("dvc exp run -S train_som.n_rows=12", "try another map; nothing is promoted"),
    ("dvc metrics diff", "compare what changed with the last commit"),
)
