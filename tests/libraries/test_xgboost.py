"""xgboost.spark, unmodified. 3.4.1 is the first that works over Spark Connect, and needs Python 3.12 for client and worker."""

import sys

import pytest
from pyspark import BarrierTaskContext

from tests.libraries.telling import tell

if sys.version_info < (3, 12):
    pytest.skip("xgboost.spark over Connect needs Python 3.12: build/xgboost/bin/python, which tools/setup libraries makes where there is one",
                allow_module_level=True)  # fmt: skip
xgboost = pytest.importorskip("xgboost", minversion="3.4.1")

ROUNDS = 20


def wait_to_be_killed(folder):
    class Wait(xgboost.callback.TrainingCallback):
        def after_iteration(self, model, epoch, evals_log):
            import time

            context = BarrierTaskContext.get()
            if epoch == ROUNDS // 2:
                tell(folder, context.attemptNumber(), context.partitionId())
                time.sleep(0 if context.attemptNumber() else 600)
            return False

    return Wait()


def squared_error(rows):
    return sum((row.prediction - row.y) ** 2 for row in rows) / len(rows)


@pytest.mark.parametrize("rank", [0, 1])
def test_a_regressor(deuteron_session, killed_once, tmp_path, rank):
    from xgboost.spark import SparkXGBRegressor

    killed_once(rank)
    table = deuteron_session.range(0, 400, 1, 2).selectExpr("double(id % 50) a", "double(id % 7) b", "double(id % 50 * 2 + id % 7) y")
    regressor = SparkXGBRegressor(
        features_col=["a", "b"], label_col="y", num_workers=2, n_estimators=ROUNDS, callbacks=[wait_to_be_killed(str(tmp_path))]
    )
    model = regressor.fit(table)
    rows = model.transform(table).collect()
    assert len(rows) == 400 and squared_error(rows) < 1
    assert model.get_booster().num_boosted_rounds() == ROUNDS
