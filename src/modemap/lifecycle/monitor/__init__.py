"""Rows that came since the last look: counted, compared with the champion's, and what is found."""
