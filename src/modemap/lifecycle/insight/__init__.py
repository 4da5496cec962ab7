"""What a release sees in rows: counts of units, how groups differ, why rows are unusual."""
