"""Deep linear networks as scikit-learn regressors, fitted exactly from second moments."""

from linscape.errors import MissingDependency

try:
    from sklearn.utils.validation import validate_data as _  # noqa: F401 - new in 1.6
except ImportError as error:
    raise MissingDependency(
        "linscape.sklearn needs scikit-learn 1.6 or newer, which is not installed; "
        'pip install "linscape[sklearn]"'
    ) from error

from linscape.sklearn.cross_validation import DeepLinearRegressorCV
from linscape.sklearn.regressor import DeepLinearRegressor

__all__ = ["DeepLinearRegressor", "DeepLinearRegressorCV"]
