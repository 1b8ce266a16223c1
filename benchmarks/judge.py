"""Fits the judge of a labelled set again, from its fixed key, and compares it with the kept one.

    python -m benchmarks.judge [--data mnist]

Evaluations fit it by themselves and keep it in the user's cache; this shows what that costs, and
whether this machine makes the same judge as the one whose digest stands beside published figures.
"""

import argparse
import time

from jaxgan.data import open_source
from jaxgan.evaluation import kept_judge
from jaxgan.metrics import CLASSIFIER_PROTOCOL, fit_classifier


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="mnist")
    options = parser.parse_args()
    source, test = (open_source(options.data, split=split) for split in ("train", "test"))
    train_set, test_set, classes = source.host, test.host, source.spec.num_classes
    sets = train_set["real"], train_set["label"], test_set["real"], test_set["label"]
    start, processor = time.perf_counter(), time.process_time()
    judge = fit_classifier(*sets, classes)
    seconds, processor = time.perf_counter() - start, time.process_time() - processor
    kept = kept_judge(source.name, classes, train_set, test_set)
    print(f"protocol       {CLASSIFIER_PROTOCOL}")
    print(f"test accuracy  {judge.test_accuracy:.2%} of {len(sets[2]):,}")
    print(f"digest         {judge.digest}")
    print(f"kept           {kept.digest}{'' if kept.digest == judge.digest else ' (another)'}")
    print(f"fitted in      {seconds:.0f} s, {processor:.0f} s of processors")


if __name__ == "__main__":
    main()
