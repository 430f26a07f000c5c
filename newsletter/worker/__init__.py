"""The worker: sends, on any of several machines, what they share.

procrastinate wakes it and runs its jobs; what is sent to whom is decided by the ledger alone.
``newsletter.worker.run_worker`` is the story; ``app`` lists the jobs, ``lane`` sends.
"""
