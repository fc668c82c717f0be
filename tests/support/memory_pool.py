"""A worker pool that exists in memory only, and how it looks with its master."""

from __future__ import annotations

from dataclasses import replace

import builders
from kitwai.errors import PoolError


class MemoryPool:
    """Workers that register at once; after ``room`` started ones ``fault`` is raised."""

    def __init__(self, count=0, room=100, fault=None):
        self.listed = [builders.pool_worker(number) for number in range(count)]
        self.room = room
        self.fault = fault or PoolError("The disk is full.")

    def workers(self):
        return tuple(self.listed)

    def start(self, count, each):
        for _ in range(count):
            if self.room == 0:
                raise self.fault
            self.room -= 1
            self.listed.append(builders.pool_worker(len(self.listed)))
            each(self.listed[-1])
        return tuple(self.listed[-count:])

    def drain(self, worker):
        self.change(worker, draining_since=1000.0)

    def stop(self, worker):
        self.change(worker, alive=False)

    def last_words(self, worker):
        return "nothing"

    def change(self, worker, **changes):
        at = [one.name for one in self.listed].index(worker.name)
        self.listed[at] = replace(self.listed[at], **changes)

    def look(self):
        workers = [builders.worker(n, cores_used=0) for n, w in enumerate(self.listed) if w.alive]
        return builders.observation(0, workers=tuple(workers), pool=self.workers())
