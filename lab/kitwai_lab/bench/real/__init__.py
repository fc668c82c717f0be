"""Reality judges Kitwai: applications of many shapes on a real cluster, with constant counts of
workers and under Kitwai.

- `shapes`: the script that runs an application; `applications`: sizes and limits; `service`: the
  service that one of them waits for.
- `running`: one run, kept in a folder; `planning`: all runs of an application.
- `judging`: rows of figures from folders; `simulating`: the same in the simulator; `drawing`: a
  picture of both.
"""
