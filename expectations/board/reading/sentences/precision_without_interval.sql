-- Our pairs of which one precision was measured too seldom for an interval. Published rows have one run each.
select
    count(*) filter (energy_change_low is null) as pairs,
    count(*) as all_pairs
from marts.precision_comparison
where
    data_source = {{ data_source }} and data_source <> 'mlenergy-v3' and architecture <> 'diffusion'
    and parallelism_matches and weights <> 'dummy'
    and energy_change is not null and latency_change is not null
having pairs > 0
