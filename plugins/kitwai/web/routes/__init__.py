"""The routes, one file a subject. Plain functions: FastAPI runs them in threads, so that one that
waits for the database holds up no other.
"""
