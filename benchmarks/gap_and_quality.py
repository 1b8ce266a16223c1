"""Does the gap of a Wasserstein discriminator tell how good samples are? One against the other.

    jaxgan train wgan_gp_mnist --evaluate-every 250 --out runs/gap0
    (and runs/gap1, runs/gap2 with --seed 1 and 2)
    python -m benchmarks.gap_and_quality runs/gap0 runs/gap1 runs/gap2 --out gap.png

A point is one evaluation: the Fréchet distance of 10,000 samples to the test images, and the mean
gap E D(x) - E D(g) of the logged steps since the evaluation before. Prints, for each run, the first
and last point and Spearman's rank correlation: 1 when the gap falls whenever quality rises.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import spearmanr

from jaxgan.runs.log import read_metrics


def points(run: Path) -> np.ndarray:
    """Rows of (step, gap, Fréchet distance)."""
    found, gaps = [], []
    for line in read_metrics(run):
        if "real_logits" in line:
            gaps.append(line["real_logits"] - line["fake_logits"])
        if "frechet" in line and gaps:
            found.append((line["step"], np.mean(gaps), line["frechet"]))
            gaps = []
    return np.array(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, default=Path("gap_and_quality.png"))
    options = parser.parse_args()
    figure, axes = plt.subplots(figsize=(5.5, 3.8), layout="constrained")
    print("| run | evaluations | first gap, Fréchet | last gap, Fréchet | rank correlation |")
    print("|---|---|---|---|---|")
    for run in options.runs:
        step, gap, frechet = points(run).T
        correlation = spearmanr(gap, frechet).statistic
        ends = (f"{gap[i]:.2f}, {frechet[i]:.1f}" for i in (0, -1))
        print(f"| {run.name} | {len(step)} | {' | '.join(ends)} | {correlation:.2f} |")
        axes.plot(gap, frechet, "-", alpha=0.4, linewidth=1)
        scatter = axes.scatter(gap, frechet, c=step, s=18, cmap="viridis", zorder=3)
    figure.colorbar(scatter, label="generator steps")
    axes.set(xscale="log", yscale="log", xlabel="discriminator gap E D(x) - E D(g)")
    axes.set(ylabel="Fréchet distance to the test images")
    figure.savefig(options.out, dpi=120)


if __name__ == "__main__":
    main()
