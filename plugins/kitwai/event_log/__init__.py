"""From the files of a Spark event log to an application profile."""
