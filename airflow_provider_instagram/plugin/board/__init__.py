"""The Posts page: the posts of content calendars with their states, and what a user can do about each.

What is true of a post is in the calendar's plan, the ledger and Airflow's database. This room only
reads and shows it, and acts through Airflow's API and the ledger. It has no records of its own.
"""
