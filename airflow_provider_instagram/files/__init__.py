"""Files wherever they live: what a location is, and what may be opened for a person who names one. Nothing of posts."""
