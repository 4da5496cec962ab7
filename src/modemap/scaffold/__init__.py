"""A project for somebody's own table: profiled, decided, written, and later brought up to date."""
