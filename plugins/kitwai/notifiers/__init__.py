"""The way of Kitwai's notices to the Airflow notifiers that a user names."""
