"""What the gate judges by: a candidate's papers, its trials, and measures beside the champion."""
