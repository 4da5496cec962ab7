"""What happens to a release after it was evaluated: registered, judged, promoted, looked up."""
