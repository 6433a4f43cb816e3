-- Weights that are not trained ones, and by how much their energy differs from the nearest kind
-- where both were measured.
select
    weights,
    any_value(weights_reference) as reference,
    count(*) as configurations,
    count(weights_energy_difference) as compared,
    min(weights_energy_difference) as lowest,
    max(weights_energy_difference) as highest
from marts.leaderboard
where data_source = {{ data_source }} and weights <> 'real' and is_current_revision
group by weights
order by weights
