"""Write examples/data/diabetes.csv from the copy that scikit-learn carries.

442 patients, ten inputs in their own units and the progression of diabetes after a year; from
Efron, Hastie, Johnstone & Tibshirani (2004), "Least Angle Regression", Annals of Statistics 32.
"""

import csv
from pathlib import Path

from sklearn.datasets import load_diabetes

FILE = Path(__file__).parent / "data" / "diabetes.csv"


def main() -> None:
    """Write the table: a header, then one patient a line."""
    data = load_diabetes(scaled=False)
    FILE.parent.mkdir(exist_ok=True)
    with FILE.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*data.feature_names, "progression"])
        for inputs, target in zip(data.data, data.target, strict=True):
            writer.writerow(f"{value:.10g}" for value in (*inputs, target))
    print(f"wrote {FILE}: {len(data.target)} rows")


if __name__ == "__main__":
    main()
