"""The door for programs: an HTTP service that follows the champion."""
