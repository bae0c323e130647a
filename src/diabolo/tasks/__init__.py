"""The tasks of a fitted model: for each, one module with one function and the class of its answer."""

from diabolo.tasks.base import Answer, Model
from diabolo.tasks.compare import Comparison, compare
from diabolo.tasks.denoise import Denoised, denoise
from diabolo.tasks.drift import Drift, drift
from diabolo.tasks.embed import Embedding, check_decodable, decode_latents, embed, latent_moments
from diabolo.tasks.explain import Explanation, explain
from diabolo.tasks.generate import Generated, generate
from diabolo.tasks.group import Groups, group
from diabolo.tasks.identify import Identified, identify
from diabolo.tasks.interpolate import Interpolation, interpolate
from diabolo.tasks.match import Matches, match
from diabolo.tasks.reconstruct import Reconstruction, reconstruct
from diabolo.tasks.repair import Repaired, repair
from diabolo.tasks.score import Episode, Scores, follows, score
from diabolo.tasks.traverse import Traversal, traverse
from diabolo.tasks.verify import Verified, verify
from diabolo.tasks.violations import Violations, violations

TASKS = (
    score,
    explain,
    repair,
    embed,
    reconstruct,
    denoise,
    match,
    verify,
    identify,
    group,
    generate,
    compare,
    traverse,
    interpolate,
    drift,
    violations,
)

__all__ = [
    "TASKS",
    "Answer",
    "Comparison",
    "Denoised",
    "Drift",
    "Embedding",
    "Episode",
    "Explanation",
    "Generated",
    "Groups",
    "Identified",
    "Interpolation",
    "Matches",
    "Model",
    "Reconstruction",
    "Repaired",
    "Scores",
    "Traversal",
    "Verified",
    "Violations",
    "check_decodable",
    "compare",
    "decode_latents",
    "denoise",
    "drift",
    "embed",
    "explain",
    "follows",
    "generate",
    "group",
    "identify",
    "interpolate",
    "latent_moments",
    "match",
    "reconstruct",
    "repair",
    "score",
    "traverse",
    "verify",
    "violations",
]
