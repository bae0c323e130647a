"""The questions that a fitted model answers: one file, one function, one typed answer each."""

from diabolo.tasks.base import Answer, Model
from diabolo.tasks.embed import Embedding, check_way_back, embed, way_back
from diabolo.tasks.explain import Explanation, explain
from diabolo.tasks.reconstruct import Reconstruction, reconstruct
from diabolo.tasks.repair import Repaired, repair
from diabolo.tasks.score import Episode, Scores, score

TASKS = (score, explain, repair, embed, reconstruct)

__all__ = [
    "TASKS",
    "Answer",
    "Embedding",
    "Episode",
    "Explanation",
    "Model",
    "Reconstruction",
    "Repaired",
    "Scores",
    "check_way_back",
    "embed",
    "explain",
    "reconstruct",
    "repair",
    "score",
    "way_back",
]
