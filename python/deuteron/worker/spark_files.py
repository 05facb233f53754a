"""`pyspark.core.files` where the installed PySpark is the client alone, which lacks it.

Libraries that run in tasks (TorchDistributor) ask it for a folder of the session.
"""

import importlib.util
import os
import sys
import types

import pyspark

FOLDER_VARIABLE = "DEUTERON_FILES_DIRECTORY"


class SparkFiles:
    """The session's files, as a task sees them."""

    @classmethod
    def getRootDirectory(cls):
        """Absolute path of the folder."""
        return os.environ[FOLDER_VARIABLE]

    @classmethod
    def get(cls, filename):
        """Absolute path of a file in it."""
        return os.path.abspath(os.path.join(cls.getRootDirectory(), filename))


def provide():
    """Makes the module importable; leaves PySpark's own alone."""
    if importlib.util.find_spec("pyspark.core") is not None:
        return
    core = types.ModuleType("pyspark.core")
    core.__path__ = []
    files = types.ModuleType("pyspark.core.files", __doc__)
    files.SparkFiles = SparkFiles
    core.files = files
    sys.modules.update({"pyspark.core": core, "pyspark.core.files": files, "pyspark.files": files})
    pyspark.SparkFiles = SparkFiles
