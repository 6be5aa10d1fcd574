"""From the text of a calendar to its posts and problems. DAGs, runs and tasks do not belong here."""
