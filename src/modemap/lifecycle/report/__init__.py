"""The report: what is known of a project, gathered from files, release and history, and written."""
