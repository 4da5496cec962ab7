"""What a run has to show: pictures for people."""
