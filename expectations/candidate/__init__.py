"""From landed runs to the marts of a candidate: inputs for dbt, the build, the fingerprint."""
