"""From landed runs to the marts of a candidate: inputs for dbt, the build, the fingerprint."""

from expectations.candidate.build import PROJECT, BuildResult, build
from expectations.candidate.fingerprint import code_digest, git_commit, software

__all__ = ["PROJECT", "BuildResult", "build", "code_digest", "git_commit", "software"]
