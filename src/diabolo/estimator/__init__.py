"""The public estimator, in the vocabularies of scikit-learn, of PyOD and of configuration files."""
