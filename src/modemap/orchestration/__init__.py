"""When stages run, in what order, and what follows the last: the Prefect side of a project."""
