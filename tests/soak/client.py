"""client.py REMOTE SEED JOBS: one user of a soak, with a session that is left for a new one now and then.

Prints a JSON object for each job: {"job": its name, "seconds": …, "error": null or text}.
"""

import json
import random
import sys
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pyspark import cloudpickle  # noqa: E402
from pyspark.sql import SparkSession  # noqa: E402
from soak import jobs  # noqa: E402

JOBS_OF_A_SESSION = 25
# Kills come at random: that one stage meets so many in a row is not to be expected.
SETTINGS = {
    "spark.stage.maxConsecutiveAttempts": "12",
    "spark.task.maxFailures": "12",
    "spark.deuteron.gang.hang.policy": "relaunch",
    "spark.deuteron.gang.backoff": "20ms",
}


def new_session(remote):
    session = SparkSession.builder.remote(remote).create()
    type(session)._active_session.session = session  # with which the client reads result types
    for key, value in SETTINGS.items():
        session.conf.set(key, value)
    return session


def leave(session):
    session.client.release_session()
    session.client.close()


def run(session, choice):
    job = jobs.choose(choice)
    began = time.monotonic()
    error = None
    try:
        job(session, choice)
    except Exception:
        error = traceback.format_exc()
    print(json.dumps({"job": job.__name__, "seconds": time.monotonic() - began, "error": error}), flush=True)


def main():
    remote, seed, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    cloudpickle.register_pickle_by_value(jobs)  # workers cannot import it
    choice = random.Random(seed)
    for first in range(0, count, JOBS_OF_A_SESSION):
        session = new_session(remote)
        for _ in range(min(JOBS_OF_A_SESSION, count - first)):
            run(session, choice)
        leave(session)


if __name__ == "__main__":
    main()
