"""The study: causes proven by controlled retraining."""
