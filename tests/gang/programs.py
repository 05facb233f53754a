"""A training program for the tests, small, and with all that one has. Ranks get it by value."""

from deuteron.gang import gang
from pyspark.sql import functions as F

SAVE_EVERY = 3
EPOCHS = 2


def points(session, rows=200):
    """Rows with a known linear law."""
    x = [(F.col("id") * factor % 17 / 17).cast("float").alias(f"x{factor}") for factor in (3, 5)]
    frame = session.range(0, rows, 1, 4).select("id", *x)
    return frame.select("id", F.array("x3", "x5").alias("x"), (F.col("x3") * 2 - F.col("x5")).alias("y"))


def learn(context, data, fail=None):
    """A linear model, with all that a training program has: a process group, checkpoints, and (in the first attempt) a failure."""
    import torch

    context.init_process_group()
    model = torch.nn.Linear(2, 1)
    torch.nn.init.zeros_(model.weight)
    torch.nn.init.zeros_(model.bias)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    state = context.restore()
    if state is not None:
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
    done = None if state is None else state["done"]
    model = torch.nn.parallel.DistributedDataParallel(model)
    first, first_loss = None, None
    for (epoch, number), batch in data.epochs(EPOCHS, after=done):
        first = first or (epoch, number)
        if fail is not None and done is None:
            fail(context, epoch, number)
        loss = ((model(batch["x"])[:, 0] - batch["y"].float()) ** 2).mean()
        first_loss = first_loss or loss.item()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if number % SAVE_EVERY == SAVE_EVERY - 1:
            states = {"model": model.module.state_dict(), "optimiser": optimiser.state_dict(), "done": (epoch, number)}
            context.save(states)
    weights = [parameter.detach().numpy().tobytes() for parameter in model.parameters()]
    return {"weights": weights, "loss": loss.item(), "first loss": first_loss, "first": first, "attempt": context.attempt}


def learner(directory=None):
    return gang(ranks=2, format="torch", batch_size=16, seed=5, key="id", directory=directory)(learn)
